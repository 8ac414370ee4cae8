/** The folder of `local:` names, which only its user can enter. Checked at each use: another may have its place. */
import fs from 'node:fs'
import { basename } from 'node:path'
import process from 'node:process'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import { isDenied } from '../protocol/permission.js'
import type { LocalFolder } from '../protocol/target.js'
import { HeldFolder } from './held-folder.js'

/** A dial does not make the folder. */
export type LocalPurpose = 'dial' | 'listen'

/** The caller closes it. @throws {TransportError} ERR_ACCESS, ERR_NOT_FOUND, ERR_IO */
export function openLocalFolder(folder: LocalFolder, purpose: LocalPurpose, endpoint: string): HeldFolder {
  const base = folder.base === undefined ? undefined : openBase(folder.base, purpose, endpoint)
  try {
    // Through the base that was checked: in another user's it must not be made.
    const path = base?.at(basename(folder.path)) ?? folder.path
    if (purpose === 'listen') make(path, folder.path, endpoint)
    return openOwn(path, folder.path, purpose, endpoint)
  } finally {
    base?.close()
  }
}

/** Whether others can enter it does not matter: `XDG_RUNTIME_DIR` may be less private than the folder in it. */
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
    if (code === 'ENOENT' && purpose === 'dial')
      throw fromSystemError(error as NodeJS.ErrnoException, 'connecting to', endpoint)
    if (code === 'ENOENT') throw refused('which does not exist', error)
    if (code === 'ENOTDIR') throw refused('which is not a folder', error)
    if (code === 'EACCES' || code === 'EPERM') throw refused('which you cannot read', error)
    throw fromSystemError(error as NodeJS.ErrnoException, 'opening', endpoint)
  }
  if (isOwn(base.stat)) return base
  base.close()
  throw refused('which belongs to another user')
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
    if (code === 'ENOENT' && purpose === 'dial')
      throw fromSystemError(error as NodeJS.ErrnoException, 'connecting to', endpoint)
    // For a link it depends on the system which of these it is.
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'EACCES' || code === 'EPERM') throw refused(error)
    throw fromSystemError(error as NodeJS.ErrnoException, 'opening', endpoint)
  }
  if (isOwn(folder.stat) && (folder.stat.mode & 0o077n) === 0n) return folder
  folder.close()
  throw refused()
}

/** Whether it belongs to the user whose files this process makes. */
function isOwn(stat: fs.BigIntStats): boolean {
  return stat.uid === BigInt(process.geteuid?.() ?? 0)
}
