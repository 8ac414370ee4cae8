/** Folders that only this user can enter, for what this process alone uses. */
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { trace } from '../common/trace.js'
import { deniedIn } from '../protocol/permission.js'

/** `prefix`: the folder's path up to its creator's mark. */
export function makePrivateFolder(prefix: string, mark: string | undefined): string {
  // Where the path has no room for a mark: nothing tells later who has left such a folder, so it stays.
  if (mark === undefined) return fs.mkdtempSync(prefix)
  try {
    fs.mkdirSync(prefix + mark, { mode: 0o700 })
  } catch (error) {
    throw deniedIn(dirname(prefix), error)
  }
  return prefix + mark
}

/**
 * Removes a private folder with the files that it may contain. By single calls, since `fs.rm` with `recursive` throws
 * where there is no descriptor left, in an event where nothing could catch that. What cannot be removed stays, for
 * example when the process has given up its rights: that is no reason to fail.
 */
export function removePrivateFolder(folder: string, ...names: readonly string[]): void {
  // The system removes a socket's name with it, so most are gone.
  for (const name of names) tryTo(() => fs.unlinkSync(join(folder, name)))
  const code = tryTo(() => fs.rmdirSync(folder))
  if (code !== undefined && code !== 'ENOENT') trace('folder %s stays (%s)', folder, code)
}

/** The system's code of what failed. */
export function tryTo(step: () => void): string | undefined {
  try {
    step()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
