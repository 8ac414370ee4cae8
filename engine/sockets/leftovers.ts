/**
 * Folders of our own with a maker's mark in their names, and what processes that were killed have left of them. Only
 * what belongs to this user, has the mode that we give, is of a maker that is certainly dead, and holds nothing but
 * what we put into such a folder, is removed.
 */
import fs from 'node:fs'
import { basename } from 'node:path'
import process from 'node:process'
import { HeldFolder, type Folder } from '../filesystem/held-folder.js'
import { trace } from '../common/trace.js'
import { isDraft, removeDraft } from './folder-lock.js'
import { ASKER, probeListener } from './listener-probe.js'
import { creatorStatus } from './creator.js'

/** What lies in such a folder: a socket of its maker's. */
export const OWN_SOCKET = 's'
/** A socket that was found stale, on its way out. */
export const STALE_SOCKET = 'stale'

/**
 * Removes those of dead makers. `prefix` is what their names begin with, and `own` is such a folder of the caller's.
 * Never rejects.
 */
export async function removeLeftovers(paths: readonly string[], prefix: string, own: string): Promise<void> {
  for (const path of paths) {
    const name = basename(path)
    if (!name.startsWith(prefix)) continue
    const mark = name.slice(prefix.length)
    if (creatorStatus(mark) === 'dead') await removeLeftover(path, mark, own)
  }
}

async function removeLeftover(path: string, mark: string, own: string): Promise<void> {
  let held: HeldFolder | undefined
  try {
    held = new HeldFolder(path, 'refuse')
    const { uid, mode } = held.stat
    if (uid !== BigInt(process.geteuid?.() ?? -1) || (mode & 0o777n) !== 0o700n) return
    if (!(await holdsOnlyOurs(held, own))) return
    removeDraft(held.at(''), mark)
    for (const name of [OWN_SOCKET, ASKER, STALE_SOCKET]) fs.rmSync(held.at(name), { force: true })
    fs.rmdirSync(path)
    trace('folder %s of a process that was killed is removed', path)
  } catch (error) {
    trace('folder %s of a process that was killed stays (%s)', path, error)
  } finally {
    held?.close()
  }
}

async function holdsOnlyOurs(folder: Folder, own: string): Promise<boolean> {
  for (const name of fs.readdirSync(folder.at(''))) {
    if (isDraft(name)) continue
    if (![OWN_SOCKET, ASKER, STALE_SOCKET].includes(name)) return false
    if (!fs.lstatSync(folder.at(name)).isSocket()) return false
    // Its maker had no time to see that it is somebody else's after all, and to put it back.
    if (name !== STALE_SOCKET) continue
    const answer = await probeListener(folder.at(name), own)
    if (answer?.code !== 'ECONNREFUSED') return false
  }
  return true
}
