export async function mount(options) {}
