/** Removes a folder of ours with what we have put into it. */
import fs from 'node:fs'
import { join } from 'node:path'

/**
 * Needs no descriptor, as `fs.rm` with `recursive` does, which throws where there is none: in the middle of an event of which
 * nobody could catch that. What cannot be removed stays.
 */
export function removePrivateFolder(folder: string, ...names: readonly string[]): void {
  for (const name of names) attempt(() => fs.unlinkSync(join(folder, name)))
  attempt(() => fs.rmdirSync(folder))
}

function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // It is gone already, or the system does not let us.
  }
}
