export function mount() {}
export function startOver() {}
