/** A handler module from its source text. */
export function moduleUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`
}
