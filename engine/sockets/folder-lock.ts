/**
 * A lock that only who may write a folder can hold, and that ends with its process.
 *
 * It is a folder with one entry, named after its holder. It is made elsewhere with that entry in it and takes its name
 * by `rename`, which the system allows over an empty folder and over no other: so one of many gets it. A dead holder's
 * is freed by removing the entry of that very name, which cannot be the one of whoever has taken it meanwhile.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Folder } from '../filesystem/held-folder.js'
import { creatorStatus, type CreatorStatus } from './creator.js'

/** How often it may change hands under us before it counts as held. */
const ATTEMPTS = 8

/** `unguarded`: there can be no lock here, and whoever goes on does so without. */
export type LockState = 'held' | 'busy' | 'unguarded'

export class FolderLock {
  readonly state: LockState
  readonly #path: string
  readonly #mark: string

  /**
   * `own` is a folder of the taker's own in the same one, which is to be empty of the name that this gives its draft.
   */
  constructor(folder: Folder, name: string, own: string, mark: string) {
    this.#path = folder.at(name)
    this.#mark = mark
    const draft = join(own, DRAFT)
    try {
      fs.mkdirSync(draft, { mode: 0o700 })
      fs.mkdirSync(join(draft, mark))
      this.state = take(draft, this.#path)
    } catch {
      this.state = 'unguarded'
    }
    if (this.state !== 'held') removeDraft(own, mark)
  }

  release(): void {
    if (this.state !== 'held') return
    attempt(() => {
      fs.rmdirSync(join(this.#path, this.#mark))
    })
    // Refused by the system if somebody has taken it already.
    attempt(() => {
      fs.rmdirSync(this.#path)
    })
  }
}

const DRAFT = 'l'

/** Removes what a taker that was killed has left in its own folder. */
export function removeDraft(own: string, mark: string): void {
  attempt(() => {
    fs.rmdirSync(join(own, DRAFT, mark))
  })
  attempt(() => {
    fs.rmdirSync(join(own, DRAFT))
  })
}

/** Removes a lock that was left by its dead holder, and no other. */
export function removeDeadLock(path: string): void {
  attempt(() => {
    if (freed(path) === 'dead') fs.rmdirSync(path)
  })
}

export function isDraft(name: string): boolean {
  return name === DRAFT
}

function take(draft: string, path: string): LockState {
  for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
    // A folder of the user's that is empty would be replaced.
    if (isForeign(path)) return 'unguarded'
    try {
      fs.renameSync(draft, path)
      return 'held'
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
    }
    const fate = freed(path)
    if (fate === 'alive') return 'busy'
    if (fate === 'unknown') return 'unguarded'
  }
  return 'busy'
}

/** What became of whoever holds the lock; a dead one holds it no longer. */
function freed(path: string): CreatorStatus {
  if (isForeign(path)) return 'unknown'
  for (const mark of entriesOf(path)) {
    const fate = creatorStatus(mark)
    if (fate !== 'dead') return fate
    attempt(() => {
      fs.rmdirSync(join(path, mark))
    })
  }
  return 'dead'
}

/**
 * Whether what lies there was not made by a holder of ours. Another user may have put anything there, for as long as he
 * likes: that must not be in our way.
 */
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

/** What cannot be removed stays. */
function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // Gone already, or not to be removed.
  }
}
