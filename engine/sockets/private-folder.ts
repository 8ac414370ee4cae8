/** Removes a folder of ours with what we have put into it. */
import fs from 'node:fs'
import { join } from 'node:path'
import { trace } from '../common/trace.js'

/**
 * Needs no descriptor, as `fs.rm` with `recursive` does, which throws where there is none: in the middle of an event of
 * which nobody could catch that. What cannot be removed, by a process that has given up its rights for example, stays:
 * that is no reason to fail.
 */
export function removePrivateFolder(folder: string, ...names: readonly string[]): void {
  // The system removes a socket's name with it, so most are gone.
  for (const name of names) attempt(() => fs.unlinkSync(join(folder, name)))
  const code = attempt(() => fs.rmdirSync(folder))
  if (code !== undefined && code !== 'ENOENT') trace('folder %s stays (%s)', folder, code)
}

/** The system's code of what failed. */
function attempt(step: () => void): string | undefined {
  try {
    step()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
