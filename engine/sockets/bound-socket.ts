/**
 * A Unix socket that main has bound and never listens on. Shards listen on duplicates of it, so the socket outlives
 * each of them: peers that connect while a shard is away wait in the backlog. See docs/decisions/accept-sharding.md.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { bindHandle, onHandle, sendHandle, type BoundHandle } from '../internals/bound-handle.js'
import type { Ledger } from '../common/ledger.js'
import { assertDescriptors } from './spare-descriptors.js'

const DUPLICATE_TIMEOUT_MS = 10_000
/** Turns in which the end of a dead process's channel is read. It is there already, so it takes one or two. */
const MOST_TURNS = 1_000
/** Helper processes that are started for the same duplicates at most. */
const MOST_ATTEMPTS = 5

/**
 * What the helper process runs. Node cannot duplicate a descriptor, but one that travels to another process and back
 * arrives as a duplicate. It is text because a bundled host would not have a file. Its last message carries no
 * descriptor, and ends the wait for one that was lost because this process had no room for it.
 */
const DUPLICATOR = `
process.once('message', ({ copies }, handle) => {
  for (let copy = 0; copy < copies; copy++) process.send({ copy }, handle, { keepOpen: true })
  process.send({ isLast: true })
})
process.once('disconnect', () => process.exit())
`

/** The last duplicate with each number: once a shard has been given it, the number may become another file's. */
const latest = new Map<number, Duplicate>()

/** A duplicate of a socket's descriptor: main's to discard until it is given to a shard. */
export class Duplicate {
  readonly #handle: BoundHandle
  readonly #fd: number

  constructor(handle: BoundHandle) {
    this.#handle = handle
    this.#fd = handle.fd
    latest.set(this.#fd, this)
  }

  /** The descriptor, which the taker closes from here on. */
  give(): number {
    return this.#fd
  }

  discard(): void {
    latest.delete(this.#fd)
    this.#handle.close()
  }

  /**
   * The taker is dead, perhaps before it took the descriptor. `inode` is the socket's: only main duplicates it, so a
   * descriptor that still leads there, and was not given away again, is this one, left open.
   */
  reclaim(inode: string): void {
    if (latest.get(this.#fd) !== this) return
    latest.delete(this.#fd)
    if (inodeOf(this.#fd) === inode) this.#handle.close()
  }
}

/** Which file a descriptor leads to; undefined: it is closed. */
function inodeOf(fd: number): string | undefined {
  try {
    const { dev, ino } = fs.fstatSync(fd)
    return `${String(dev)}:${String(ino)}`
  } catch {
    return undefined
  }
}

export class BoundSocket {
  readonly #handle: BoundHandle
  readonly #inode: string
  readonly #ledger: Ledger
  readonly #closing = new AbortController()
  readonly #duplicating = new Set<Promise<Duplicate[]>>()
  #toReclaim: Duplicate[] = []
  /** Made in advance. */
  #spare: Duplicate[] = []

  /** @throws The system's error. */
  constructor(path: string, ledger: Ledger) {
    this.#handle = bindHandle(path)
    this.#inode = inodeOf(this.#handle.fd) ?? ''
    this.#ledger = ledger
    ledger.open('descriptors')
  }

  /** The shard that was given this duplicate is dead. Waits for others on their way: one may have got its number. */
  reclaim(duplicate: Duplicate): void {
    this.#toReclaim.push(duplicate)
    this.#reclaimAll()
  }

  /** Rejects if the socket is closed first. `spare`: how many more to make for later calls, if any have to be made. */
  async duplicate(copies: number, spare = 0): Promise<Duplicate[]> {
    if (this.#spare.length >= copies) return this.#spare.splice(-copies)
    if (spare === 0) return this.#make(copies, MOST_ATTEMPTS)
    // Where there is room for few descriptors, there is none for spare ones.
    const made = await this.#make(copies + spare, 1).catch(() => this.#make(copies, MOST_ATTEMPTS))
    this.#spare.push(...made.splice(copies))
    if (this.#closing.signal.aborted) this.#discardSpare()
    return made
  }

  async #make(copies: number, attempts: number): Promise<Duplicate[]> {
    this.#ledger.open('helpers')
    const duplicating = this.#duplicate(copies, attempts)
    this.#duplicating.add(duplicating)
    try {
      return await duplicating
    } finally {
      this.#duplicating.delete(duplicating)
      this.#reclaimAll()
      this.#ledger.release('helpers')
    }
  }

  async #duplicate(copies: number, attempts: number): Promise<Duplicate[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await duplicate(this.#handle, copies, this.#closing.signal)
      } catch (error) {
        if (!(error instanceof LostDescriptorError) || attempt >= attempts) throw error
      }
    }
  }

  /** Ends helper processes that are at work, too. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#duplicating)
    this.#discardSpare()
    this.#handle.close()
    this.#ledger.release('descriptors')
  }

  #discardSpare(): void {
    for (const duplicate of this.#spare.splice(0)) duplicate.discard()
  }

  #reclaimAll(): void {
    if (this.#duplicating.size > 0) return
    for (const duplicate of this.#toReclaim) duplicate.reclaim(this.#inode)
    this.#toReclaim = []
  }
}

/** A descriptor was sent, and has not come out of the channel. */
class LostDescriptorError extends Error {
  constructor() {
    super('a descriptor was lost on its way from the helper process: this process may have had no room for it')
  }
}

function duplicate(original: BoundHandle, copies: number, signal: AbortSignal): Promise<Duplicate[]> {
  if (signal.aborted) return Promise.reject(new Error('the listener was closed meanwhile'))
  return new Promise((resolve, reject) => {
    assertDescriptors()
    const child = spawn(process.execPath, ['-e', DUPLICATOR], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // NODE_OPTIONS is for the host. An Electron host's executable is Node only with that variable.
      env: { ...process.env, NODE_OPTIONS: '', ELECTRON_RUN_AS_NODE: '1' },
    })
    const duplicates: Duplicate[] = []
    let failure: Error | undefined
    const finish = (error: Error | undefined): void => {
      clearTimeout(timer)
      failure ??= error
      // Not disconnected: Node would acknowledge a handle into a channel that is gone, and assert.
      child.kill('SIGKILL')
    }
    const timer = setTimeout(
      () => finish(new Error(`the helper process did not answer within ${String(DUPLICATE_TIMEOUT_MS)} ms`)),
      DUPLICATE_TIMEOUT_MS,
    )
    const onAbort = (): void => finish(new Error('the listener was closed meanwhile'))
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
    // A process that could not be started emits 'error' alone; any other is waited for until it is reaped.
    child.on('error', (error) => {
      failure ??= error
      if (child.pid === undefined) settle()
    })
    // What it sent is still in the channel, and comes before the channel's end. That end is polled for: Node emits no
    // 'disconnect' if the process, killed early, has not acknowledged a handle (its setupChannel() waits for that).
    const settleWhenRead = (turns: number): void => {
      if (child.connected && turns > 0) setImmediate(settleWhenRead, turns - 1)
      else setImmediate(settle)
    }
    child.once('exit', () => settleWhenRead(MOST_TURNS))
    onHandle(child, (handle) => {
      // The last word: see DUPLICATOR.
      if (handle === undefined) finish(duplicates.length === copies ? undefined : new LostDescriptorError())
      else duplicates.push(new Duplicate(handle))
    })
    sendHandle(child, { copies }, original, (error) => {
      if (error !== null) finish(error)
    })
  })
}
