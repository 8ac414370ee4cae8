/** How long main looks for news by itself before it lets itself be woken. */
export type WakePolicy = 'adaptive' | 'park' | { readonly spinMicros: number }
