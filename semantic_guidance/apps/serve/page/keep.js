export function mount(options) {}
