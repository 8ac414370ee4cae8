/**
 * Removes private folders that killed processes have left: only those that belong to this user, have the mode of a
 * private folder and a creator that is certainly dead, and hold nothing but what we put into such a folder.
 */
import fs from 'node:fs'
import { basename } from 'node:path'
import process from 'node:process'
import { HeldFolder, type Folder } from '../filesystem/held-folder.js'
import { trace } from '../common/trace.js'
import { DRAFT, removeLock } from './folder-lock.js'
import { ASKER, probeListener } from './listener-probe.js'
import { creatorStatus } from './creator.js'

/** What a private folder holds: a socket of its creator's. */
export const OWN_SOCKET = 's'
/** A socket that was found stale, on its way out. */
export const STALE_SOCKET = 'stale'
/** Memory that another process was to open. */
export const OWN_SEGMENT = 'segment'
const SOCKETS = [OWN_SOCKET, ASKER, STALE_SOCKET]

/** `prefix`: how the names of such folders begin. `privateFolder` is such a folder, of the caller's. Never rejects. */
export async function removeLeftovers(paths: readonly string[], prefix: string, privateFolder: string): Promise<void> {
  for (const path of paths) {
    const name = basename(path)
    if (!name.startsWith(prefix)) continue
    const mark = name.slice(prefix.length)
    if (creatorStatus(mark) === 'dead') await removeLeftover(path, mark, privateFolder)
  }
}

async function removeLeftover(path: string, mark: string, privateFolder: string): Promise<void> {
  let held: HeldFolder | undefined
  try {
    held = new HeldFolder(path, 'refuse')
    const { uid, mode } = held.stat
    if (uid !== BigInt(process.geteuid?.() ?? -1) || (mode & 0o777n) !== 0o700n) return
    if (!(await holdsOnlyOurs(held, privateFolder))) return
    removeLock(held.at(DRAFT), mark)
    for (const name of [...SOCKETS, OWN_SEGMENT]) fs.rmSync(held.at(name), { force: true })
    fs.rmdirSync(path)
    trace('folder %s of a process that was killed is removed', path)
  } catch (error) {
    trace('folder %s of a process that was killed stays (%s)', path, error)
  } finally {
    held?.close()
  }
}

async function holdsOnlyOurs(folder: Folder, privateFolder: string): Promise<boolean> {
  for (const name of fs.readdirSync(folder.at(''))) {
    if (name === DRAFT) continue
    const entry = fs.lstatSync(folder.at(name))
    if (name === OWN_SEGMENT && entry.isFile() && (entry.mode & 0o777) === 0o600) continue
    if (!SOCKETS.includes(name) || !entry.isSocket()) return false
    // It may be another program's after all, and its mover was killed before it could put it back.
    if (name !== STALE_SOCKET) continue
    const answer = await probeListener(folder.at(name), privateFolder)
    if (answer?.code !== 'ECONNREFUSED') return false
  }
  return true
}
