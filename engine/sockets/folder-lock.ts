/**
 * A lock that only processes that may write the folder can hold, and that ends with its process.
 *
 * It is a folder with one entry, which is named after the holder. It is made elsewhere, with that entry in it, and
 * takes its name by `rename`, which the system allows over an empty folder and over nothing else: so one of many gets
 * it. The lock of a dead holder is freed by removing the entry of that name, which cannot be the entry of the next
 * holder.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Folder } from '../filesystem/held-folder.js'
import { creatorStatus, type CreatorStatus } from './creator.js'
import { tryTo } from './private-folder.js'

/** How often the lock may change hands before it counts as busy. */
const ATTEMPTS = 8
/** What the lock is called in its taker's private folder. */
export const DRAFT = 'l'

/** `unguarded`: no lock is possible here, and the taker goes on without one. */
export type LockState = 'held' | 'busy' | 'unguarded'

export class FolderLock {
  readonly state: LockState
  readonly #path: string
  readonly #mark: string

  /** `privateFolder` is the taker's, and lies in the same folder. */
  constructor(folder: Folder, name: string, privateFolder: string, mark: string) {
    this.#path = folder.at(name)
    this.#mark = mark
    const draft = join(privateFolder, DRAFT)
    try {
      fs.mkdirSync(draft, { mode: 0o700 })
      fs.mkdirSync(join(draft, mark))
      this.state = take(draft, this.#path)
    } catch {
      this.state = 'unguarded'
    }
    if (this.state !== 'held') removeLock(draft, mark)
  }

  release(): void {
    // The system refuses to remove the folder if another process has taken the lock already.
    if (this.state === 'held') removeLock(this.#path, this.#mark)
  }
}

/** Removes a lock with its holder's entry; what cannot be removed stays. */
export function removeLock(path: string, mark: string): void {
  tryTo(() => fs.rmdirSync(join(path, mark)))
  tryTo(() => fs.rmdirSync(path))
}

/** Removes a lock that was left by its dead holder, and no other. */
export function removeDeadLock(path: string): void {
  tryTo(() => {
    if (freeIfDead(path) === 'dead') fs.rmdirSync(path)
  })
}

function take(draft: string, path: string): LockState {
  for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
    // An empty folder of the user's would be replaced.
    if (isForeign(path)) return 'unguarded'
    try {
      fs.renameSync(draft, path)
      return 'held'
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
    }
    const holder = freeIfDead(path)
    if (holder === 'alive') return 'busy'
    if (holder === 'unknown') return 'unguarded'
  }
  return 'busy'
}

/** Returns what became of the holder; a dead one holds the lock no longer. */
function freeIfDead(path: string): CreatorStatus {
  if (isForeign(path)) return 'unknown'
  for (const mark of entriesOf(path)) {
    const holder = creatorStatus(mark)
    if (holder !== 'dead') return holder
    tryTo(() => fs.rmdirSync(join(path, mark)))
  }
  return 'dead'
}

/** Whether this is no lock of this user's. Other users may put anything there, which must not be in the way. */
function isForeign(path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return false
  return !stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o777) !== 0o700
}

function entriesOf(path: string): string[] {
  try {
    return fs.readdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
