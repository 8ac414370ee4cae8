/**
 * The folder of `local:` names, which only its user can enter. It is looked at each time when something is dialled or
 * listened on in it: who holds a transport may outlive the folder, and below the temporary folder anybody can make
 * another in its place.
 */
import fs from 'node:fs'
import { basename } from 'node:path'
import process from 'node:process'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import { isDenied } from '../protocol/permission.js'
import type { LocalFolder } from '../protocol/target.js'
import { HeldFolder } from './held-folder.js'

/** What it is opened for: a dial does not make it. */
export type LocalPurpose = 'dial' | 'listen'

/** The caller closes it. @throws {TransportError} ERR_ACCESS, ERR_NOT_FOUND, ERR_IO */
export function openLocalFolder(folder: LocalFolder, purpose: LocalPurpose, endpoint: string): HeldFolder {
  const base = folder.base === undefined ? undefined : openBase(folder.base, purpose, endpoint)
  try {
    // By way of the base that was looked at: made in another user's, it would keep that user out.
    const path = base?.at(basename(folder.path)) ?? folder.path
    if (purpose === 'listen') make(path, folder.path, endpoint)
    return openOwn(path, folder.path, purpose, endpoint)
  } finally {
    base?.close()
  }
}

/**
 * Who can enter it was not looked at, and need not be: `XDG_RUNTIME_DIR` may be less private than what we make in it.
 */
function openBase(path: string, purpose: LocalPurpose, endpoint: string): HeldFolder {
  const refused = (what: string, cause?: unknown): TransportError =>
    new TransportError(
      'ERR_ACCESS',
      `${endpoint}: XDG_RUNTIME_DIR is ${path}, ${what}. Set it to a folder of your own, or unset it.`,
      { cause, endpoint },
    )
  let base: HeldFolder
  try {
    base = new HeldFolder(path, 'follow')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && purpose === 'dial') throw missing(error, endpoint)
    if (code === 'ENOENT') throw refused('which does not exist', error)
    if (code === 'ENOTDIR') throw refused('which is not a folder', error)
    if (code === 'EACCES' || code === 'EPERM') throw refused('which you cannot read', error)
    throw fromSystemError(error as NodeJS.ErrnoException, 'opening', endpoint)
  }
  if (isOwn(base.stat)) return base
  base.close()
  throw refused('which belongs to somebody else')
}

function make(path: string, shown: string, endpoint: string): void {
  try {
    fs.mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    if (isDenied(error)) throw fromSystemError(error as NodeJS.ErrnoException, 'opening', endpoint)
    throw new TransportError(
      'ERR_ACCESS',
      `${endpoint}: cannot make the folder ${shown}. Set XDG_RUNTIME_DIR to a writable one.`,
      { cause: error, endpoint },
    )
  }
}

function openOwn(path: string, shown: string, purpose: LocalPurpose, endpoint: string): HeldFolder {
  const refused = (cause?: unknown): TransportError =>
    new TransportError(
      'ERR_ACCESS',
      `${endpoint}: ${shown} is not a folder that only you can enter. Remove it, or chmod 700 it after checking who made it.`,
      { cause, endpoint },
    )
  let folder: HeldFolder
  try {
    folder = new HeldFolder(path, 'refuse')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && purpose === 'dial') throw missing(error, endpoint)
    // A link is one of these, or the other, by system.
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'EACCES' || code === 'EPERM') throw refused(error)
    throw fromSystemError(error as NodeJS.ErrnoException, 'opening', endpoint)
  }
  if (isOwn(folder.stat) && (folder.stat.mode & 0o077n) === 0n) return folder
  folder.close()
  throw refused()
}

function missing(error: unknown, endpoint: string): TransportError {
  return fromSystemError(error as NodeJS.ErrnoException, 'connecting to', endpoint)
}

/** Whose files this process makes. */
function isOwn(stat: fs.BigIntStats): boolean {
  return stat.uid === BigInt(process.geteuid?.() ?? 0)
}
