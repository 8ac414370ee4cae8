/** Undocumented: Node's warnings of experimental modules go through `process.emitWarning()`, while they are loaded. */
import process from 'node:process'

/**
 * A module of Node's, without the warning that it is experimental: whoever loads it has something else if it is not
 * there, and a host that never asked for it can do nothing about the warning. Undefined where Node has no such module.
 */
export function loadExperimental(name: string): unknown {
  const emitWarning = Reflect.get(process, 'emitWarning')
  const filtered = (warning: string | Error, ...rest: readonly unknown[]): void => {
    const [options] = rest
    const type = typeof options === 'object' ? (options as { type?: unknown } | null)?.type : options
    if (type === 'ExperimentalWarning') return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }
  // Loading is synchronous, so nobody else's warning can come in between.
  process.emitWarning = filtered
  try {
    return process.getBuiltinModule(name)
  } finally {
    process.emitWarning = emitWarning
  }
}
