/**
 * A Unix socket that main has bound and never listens on. Shards listen on duplicates of it, so the socket outlives each
 * of them: peers that connect while a shard is away wait in the backlog.
 * See docs/decisions/accept-sharding.md.
 */
import { fork } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { Ledger } from '../shared/ledger.js'
import { findDuplicatorEntry } from './entry-discovery.js'

const DUPLICATE_TIMEOUT_MS = 10_000

/** A libuv handle, as far as this file needs it. */
interface Handle {
  readonly fd: number
  close(): void
}

/** Binds without listening. Undocumented and old: the cluster module stands on it. */
interface CreatesServerHandle {
  _createServerHandle(path: string, port: number, addressType: number): Handle | number
}

/**
 * The handles whose descriptors shards listen on, kept for the life of the process and never closed: closing one
 * here would close a number that the shard's own handle has closed already, and that may be a stranger's by then.
 */
const given = new Set<Handle>()

/** Which duplicate came last under a number: an earlier one was closed by whoever it was given to. */
const latest = new Map<number, Duplicate>()

/** A duplicate that is nobody's yet: it is given to a shard, or discarded. */
export class Duplicate {
  readonly #handle: Handle
  readonly #fd: number
  readonly #inode: number | undefined

  constructor(handle: Handle) {
    this.#handle = handle
    this.#fd = handle.fd
    this.#inode = inodeOf(handle.fd)
    latest.set(this.#fd, this)
  }

  /** The descriptor, which is the taker's to close from here on. */
  give(): number {
    given.add(this.#handle)
    return this.#fd
  }

  discard(): void {
    if (!given.has(this.#handle)) this.#handle.close()
  }

  /**
   * It was given to a shard that has failed or died, perhaps before it had opened the descriptor, perhaps after: then the
   * number is free, or somebody else's. Closed if it still is what it was.
   */
  reclaim(): void {
    const isOurs =
      latest.get(this.#fd) === this && this.#inode !== undefined && inodeOf(this.#fd) === this.#inode
    if (isOurs && given.delete(this.#handle)) this.#handle.close()
  }
}

/** Undefined: nothing is open under that number. */
function inodeOf(fd: number): number | undefined {
  try {
    return fs.fstatSync(fd).ino
  } catch {
    return undefined
  }
}

export class BoundSocket {
  readonly #handle: Handle
  readonly #ledger: Ledger
  readonly #closing = new AbortController()
  readonly #duplicating = new Set<Promise<Duplicate[]>>()
  #toReclaim: Duplicate[] = []

  /** @throws The system's error. */
  constructor(path: string, ledger: Ledger) {
    const handle = (net as unknown as CreatesServerHandle)._createServerHandle(path, -1, -1)
    if (typeof handle === 'number') {
      const code = getSystemErrorName(handle)
      throw Object.assign(new Error(`bind ${code}`), { code, errno: handle, syscall: 'bind' })
    }
    this.#handle = handle
    this.#ledger = ledger
    ledger.open('descriptors')
  }

  /** Rejects if the socket is closed first. */
  async duplicate(copies: number): Promise<Duplicate[]> {
    if (this.#closing.signal.aborted) throw new Error('the listener was closed meanwhile')
    this.#ledger.open('helpers')
    const duplicating = duplicate(this.#handle, copies, this.#closing.signal)
    this.#duplicating.add(duplicating)
    try {
      return await duplicating
    } finally {
      this.#duplicating.delete(duplicating)
      this.#reclaimAll()
      this.#ledger.release('helpers')
    }
  }

  /** What was given and perhaps never taken. Waits for duplicates on their way: one of them may have got that number. */
  reclaim(given: Duplicate): void {
    this.#toReclaim.push(given)
    this.#reclaimAll()
  }

  /** Ends what is being duplicated too. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#duplicating)
    this.#handle.close()
    this.#ledger.release('descriptors')
  }

  #reclaimAll(): void {
    if (this.#duplicating.size > 0) return
    for (const one of this.#toReclaim) one.reclaim()
    this.#toReclaim = []
  }
}

function duplicate(original: Handle, copies: number, signal: AbortSignal): Promise<Duplicate[]> {
  return new Promise((resolve, reject) => {
    const child = fork(findDuplicatorEntry(), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
      env: {},
    })
    const duplicates: Duplicate[] = []
    let failure: Error | undefined
    const finish = (error: Error | undefined): void => {
      clearTimeout(timer)
      failure ??= error
      if (child.connected) child.disconnect()
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => {
      finish(new Error(`the helper process did not answer within ${String(DUPLICATE_TIMEOUT_MS)} ms`))
    }, DUPLICATE_TIMEOUT_MS)
    const onAbort = (): void => {
      finish(new Error('the listener was closed meanwhile'))
    }
    signal.addEventListener('abort', onAbort)
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      if (failure === undefined && duplicates.length === copies) {
        resolve(duplicates)
        return
      }
      for (const one of duplicates) one.discard()
      reject(failure ?? new Error('the helper process ended before it had answered'))
    }
    // A process that could not be started says 'error' and nothing else; any other is waited for until it is reaped.
    child.on('error', (error) => {
      failure ??= error
      if (child.pid === undefined) settle()
    })
    child.once('exit', settle)
    child.on('message', (_, handle) => {
      duplicates.push(new Duplicate(handle as unknown as Handle))
      if (duplicates.length === copies) finish(undefined)
    })
    child.send({ copies }, original as unknown as net.Server, { keepOpen: true }, (error) => {
      if (error !== null) failure ??= error
    })
  })
}
