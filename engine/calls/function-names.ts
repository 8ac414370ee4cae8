/**
 * Names that are never called. `await`, text, JSON and inspection ask every object for them: as functions they would
 * turn into calls that nobody has made.
 */
const reserved: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(Object.prototype), 'then', 'toJSON'])

export function isFunctionName(name: string): boolean {
  return !reserved.has(name)
}
