/**
 * The file behind a segment that has a path: made where only this user can enter, and gone once the peer has opened it
 * or will not. And the opening of the file that a peer offers, which may be any.
 */
import fs from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { OWN_SEGMENT } from '../sockets/leftovers.js'
import { removePrivateFolder } from '../sockets/private-folder.js'
import { makeTemporaryFolder } from '../sockets/temporary-folder.js'
import { MOST_PATH_BYTES, type SegmentOffer } from './handshake-messages.js'

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants
export const PRIVATE_MODE = 0o600

export interface SegmentFile {
  readonly descriptor: number
  readonly at: SegmentOffer['at']
  readonly unlink: () => void
}

/** @throws The system's error, or one that says that its path would be too long. */
export function makePrivateFile(bytes: number): SegmentFile {
  // The peer has another working folder.
  const folder = makeTemporaryFolder(resolve(os.tmpdir()), OWN_SEGMENT, MOST_PATH_BYTES)
  if (folder === undefined) throw new Error('the path of the temporary folder is too long')
  const unlink = (): void => removePrivateFolder(folder, OWN_SEGMENT)
  try {
    const path = join(folder, OWN_SEGMENT)
    const descriptor = fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_MODE)
    try {
      // Whatever the process has masked.
      fs.fchmodSync(descriptor, PRIVATE_MODE)
      fs.ftruncateSync(descriptor, bytes)
    } catch (error) {
      fs.closeSync(descriptor)
      throw error
    }
    return { descriptor, at: { mode: 'path', path }, unlink }
  } catch (error) {
    unlink()
    throw error
  }
}

/** A descriptor of a file that a peer offers. @throws The system's error, or one that says that it is no file. */
export function openOffered(at: SegmentOffer['at']): number {
  // A descriptor's path below /proc is a link by its nature.
  const isLink = at.mode === 'descriptor'
  const path = isLink ? `/proc/${String(at.pid)}/fd/${String(at.descriptor)}` : at.path
  // Opening anything else may do something, or wait.
  if (!(isLink ? fs.statSync(path) : fs.lstatSync(path)).isFile()) throw new Error('what was offered is no file')
  return fs.openSync(path, O_RDWR | O_NONBLOCK | O_NOCTTY | (isLink ? 0 : O_NOFOLLOW))
}
