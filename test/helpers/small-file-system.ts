/** A file system in memory that is soon full. */
import { execFileSync } from 'node:child_process'
import { makeTemporaryFolder } from './temporary-folder.js'

export interface SmallFileSystem {
  readonly path: string
  remove(): Promise<void>
}

/** Undefined where this user cannot mount one. */
export async function smallFileSystem(bytes: number): Promise<SmallFileSystem | undefined> {
  const folder = await makeTemporaryFolder()
  if (!hasDone('mount', '-t', 'tmpfs', '-o', `size=${String(bytes)}`, 'tmpfs', folder.path)) {
    await folder.remove()
    return undefined
  }
  return {
    path: folder.path,
    remove: async () => {
      hasDone('umount', folder.path)
      await folder.remove()
    },
  }
}

function hasDone(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
