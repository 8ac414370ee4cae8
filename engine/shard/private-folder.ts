/** Removes a folder of ours with what we have put into it. */
import fs from 'node:fs'
import { join } from 'node:path'
import { trace } from '../shared/trace.js'

/**
 * Needs no descriptor, as `fs.rm` with `recursive` does, which throws where there is none: in the middle of an event of which
 * nobody could catch that. What cannot be removed, by a process that has given up its rights for example, stays: that is no
 * reason to fail.
 */
export function removePrivateFolder(folder: string, ...names: readonly string[]): void {
  // The system removes a socket's name with it, so most are gone.
  for (const name of names) attempt(() => fs.unlinkSync(join(folder, name)))
  const error = attempt(() => fs.rmdirSync(folder))
  if (error !== undefined) trace('folder %s stays (%s)', folder, error)
}

function attempt(step: () => void): unknown {
  try {
    step()
    return undefined
  } catch (error) {
    return error
  }
}
