/** Handler modules whose functions are those of a test, where the module is loaded by the test's own thread. */
import { randomName } from './temporary-folder.js'

interface ScriptedModule {
  /** What to load. */
  readonly url: string
  remove(): void
}

/** `functions`: the module's exports by name; 'default' is the handler. */
export function scriptedModule(functions: Readonly<Record<string, (...args: never[]) => unknown>>): ScriptedModule {
  const key = randomName()
  Reflect.set(globalThis, key, functions)
  const lines = Object.keys(functions).map((name) =>
    name === 'default'
      ? `export default (...args) => globalThis.${key}.default(...args)`
      : `export const ${name} = (...args) => globalThis.${key}.${name}(...args)`,
  )
  return {
    url: `data:text/javascript,${encodeURIComponent(lines.join('\n'))}`,
    remove: () => void Reflect.deleteProperty(globalThis, key),
  }
}
