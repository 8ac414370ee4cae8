/** Private folders among the temporary files: for what somebody else finds by its path, soon and once. */
import fs from 'node:fs'
import { join } from 'node:path'
import { creatorMark } from './creator.js'
import { removeLeftovers } from './leftovers.js'
import { makePrivateFolder } from './private-folder.js'

const PREFIX = 'symphony-'
/** What `mkdtemp` adds to a name. */
const RANDOM = 'XXXXXX'

/**
 * Its name has a mark of this process, where so long a path has room for one, so that what a killed process has left is
 * found. `name`: what will lie in it, at a path of at most `mostBytes`. Undefined: `parent` is too long for that.
 * @throws The system's error.
 */
export function makeTemporaryFolder(parent: string, name: string, mostBytes: number): string | undefined {
  const prefix = join(parent, PREFIX)
  const mark = creatorMark()
  const fits = (end: string): boolean => Buffer.byteLength(join(prefix + end, name)) <= mostBytes
  if (!fits(mark)) return fits(RANDOM) ? makePrivateFolder(prefix, undefined) : undefined
  const folder = makePrivateFolder(prefix, mark)
  removeLeftoversOnce(parent, folder)
  return folder
}

const removedIn = new Set<string>()

/** Once in the life of a process: it makes many of these folders, and the parent may be a large one. */
function removeLeftoversOnce(parent: string, privateFolder: string): void {
  if (removedIn.has(parent)) return
  removedIn.add(parent)
  try {
    const paths = fs.readdirSync(parent).map((name) => join(parent, name))
    void removeLeftovers(paths, PREFIX, privateFolder)
  } catch {
    // Not readable.
  }
}
