/** Runs what needs an engine, and closes it behind that. */
import { createEngine, type Engine, type EngineOptions } from '../index.js'
import { exitCodes, type Run } from './command.js'

/** How long what was sent may take to leave, in milliseconds. */
const GRACE_MS = 2_000

/** With the exit code of the body, or 1 where something was opened and never released. */
export async function withEngine(
  options: EngineOptions,
  { terminal }: Pick<Run, 'terminal'>,
  body: (engine: Engine) => Promise<number>,
): Promise<number> {
  const onError = (error: Error): void => void terminal.errors.write(`${error.message}\n`)
  const engine = await createEngine({ onError, ...options })
  let leaked = 0
  const close = async (): Promise<void> => {
    ;({ leaked } = await engine.close({ graceMs: GRACE_MS }))
  }
  const code = await body(engine).finally(close)
  if (leaked === 0) return code
  terminal.errors.write(`${String(leaked)} resources were never released: please report this.\n`)
  return exitCodes.failed
}
