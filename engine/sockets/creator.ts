/** A mark in the names of files, by which others can tell that their creator is dead, and remove what it has left. */
import { createHash, randomInt } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import process from 'node:process'

/** `unknown`: another machine's, another container's, from before this system was started, or no mark at all. */
export type CreatorStatus = 'alive' | 'dead' | 'unknown'

/** Number of the process, its start, where both mean something, and a random part. */
const MARK = /^([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+)-[0-9a-z]+$/
const PLACE_LENGTH = 6
const RANDOM_LENGTH = 6
const UNKNOWN = '0'

/** Another one with each call. */
export function creatorMark(): string {
  const random = Array.from({ length: RANDOM_LENGTH }, () => randomInt(36).toString(36)).join('')
  const start = short(startOfProcess('self') ?? UNKNOWN)
  return [process.pid.toString(36), start, ourPlace() ?? UNKNOWN, random].join('-')
}

export function creatorStatus(mark: string): CreatorStatus {
  const [, number = '', start, place] = MARK.exec(mark) ?? []
  if (place === undefined || place !== ourPlace()) return 'unknown'
  const pid = parseInt(number, 36)
  // kill() takes 0, and what is no number of a process, for others.
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid > 0x7fffffff) return 'unknown'
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Any other error says that it is there.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead'
  }
  // The number may be another process's by now.
  const actual = startOfProcess(String(pid))
  return actual === undefined || start === UNKNOWN || short(actual) === start ? 'alive' : 'dead'
}

/** A name for where numbers and times of processes mean the same as here; undefined: that cannot be said. */
let place: string | undefined | null = null

function ourPlace(): string | undefined {
  if (place === null) place = findPlace()
  return place
}

function findPlace(): string | undefined {
  const seen = readProc(() => fs.readFileSync('/proc/self/stat', 'latin1').split(' ', 1)[0])
  // A /proc of another namespace shows other processes.
  if (seen !== undefined && seen !== String(process.pid)) return undefined
  const boot = readProc(() => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))
  const spaces = ['pid', 'time'].map((kind) => readProc(() => fs.readlinkSync(`/proc/self/ns/${kind}`)))
  const digest = createHash('sha256')
    .update([boot ?? os.hostname(), ...spaces].join())
    .digest()
  return digest.readUIntBE(0, 6).toString(36).slice(-PLACE_LENGTH).padStart(PLACE_LENGTH, '0')
}

/** In clock ticks since the system was started; undefined: the system does not say. */
export function startOfProcess(pid: string): string | undefined {
  // The program's name stands second, in brackets, and may contain anything.
  return readProc(() => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19])
}

function short(ticks: string): string {
  return Number(ticks).toString(36)
}

/** Undefined where there is no /proc. */
function readProc(read: () => string | undefined): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
