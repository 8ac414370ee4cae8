/**
 * A folder that is held by a descriptor, so that names in it keep their meaning if another takes its place. Node takes
 * only paths for what lies in a folder, so names are reached through the descriptor's path below /proc. Where there is
 * none, or it may not be written, they are reached by the folder's path, and `isStill()` says afterwards whether that
 * led to the same folder.
 */
import fs from 'node:fs'
import { join, resolve } from 'node:path'
import { mayWrite } from '../protocol/permission.js'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants

export interface Folder {
  /** Whether names are reached through the descriptor. */
  readonly isPinned: boolean
  /** The path of a name in it. */
  at(name: string): string
  /** Whether its names have led into it until now. */
  isStill(): boolean
  /** May be called again. */
  close(): void
}

export class HeldFolder implements Folder {
  readonly stat: fs.BigIntStats
  readonly isPinned: boolean
  readonly #path: string
  #descriptor: number | undefined

  /** `links`: what to do with a symbolic link at the path's end. @throws The system's error. */
  constructor(path: string, links: 'refuse' | 'follow') {
    const descriptor = fs.openSync(path, O_RDONLY | O_DIRECTORY | (links === 'refuse' ? O_NOFOLLOW : 0))
    // The working folder may be another one when a name in it is used.
    this.#path = resolve(path)
    this.#descriptor = descriptor
    try {
      this.stat = fs.fstatSync(descriptor, { bigint: true })
      this.isPinned = mayWrite(pathOf(descriptor)) && this.#leadsTo(pathOf(descriptor))
    } catch (error) {
      this.close()
      throw error
    }
  }

  at(name: string): string {
    if (!this.isPinned) return join(this.#path, name)
    // Another folder may have its number by now.
    if (this.#descriptor === undefined) throw new Error('the folder is closed')
    return join(pathOf(this.#descriptor), name)
  }

  isStill(): boolean {
    return this.isPinned || this.#leadsTo(this.#path)
  }

  close(): void {
    const descriptor = this.#descriptor
    if (descriptor === undefined) return
    this.#descriptor = undefined
    fs.closeSync(descriptor)
  }

  #leadsTo(path: string): boolean {
    try {
      const { dev, ino } = fs.statSync(path, { bigint: true })
      return dev === this.stat.dev && ino === this.stat.ino
    } catch {
      return false
    }
  }
}

/** All threads of a process share its descriptors. */
function pathOf(descriptor: number): string {
  return `/proc/self/fd/${String(descriptor)}`
}
