/**
 * Undocumented: descriptors of Unix sockets that travel from one thread to another of the same process. Node passes
 * them to other processes over an IPC pipe, and such a pipe can as well lead to another thread. What arrives is a
 * duplicate: it belongs to the receiver alone, and outlives the sender's own descriptor and its thread.
 *
 * Each message is a ticket, by which the receiver knows what the descriptor is for. A message that has lost its
 * descriptor still arrives: the system had no number left for it in this process.
 */
import net from 'node:net'
import { isMainThread } from 'node:worker_threads'
import type { SocketHandle } from './socket-handle.js'

/** `constants.IPC` of Node's pipe binding: the type of a pipe that carries descriptors. */
const IPC = 2
/** A ticket, as text. */
const TICKET_CHARS = 8
/** What the accepting side says first; later it says that the next few messages of its reader have come. */
const HELLO = 0
/**
 * How many messages of one side may be under way: the other side says when more may follow. The system takes some 250
 * of them, and one that it does not take at once would wait in libuv, where its descriptor may be closed meanwhile.
 */
const MOST_UNDER_WAY = 32
const COME_AT_ONCE = 16
/** Main chooses tickets from 1 to this; a shard chooses higher ones, as far as their text has room. */
export const MOST_TICKETS_OF_MAIN = 0x7fff_ffff
export const MOST_TICKETS = 0xffff_ffff

type Sent = (status: number) => void
interface WriteRequest {
  oncomplete: Sent
  /** Where Node makes the request itself: what it came to, if it was over before `oncomplete` was there. */
  readonly writeStatus?: number | null
}

interface PipeHandle extends SocketHandle {
  /** The descriptor that came with the last read. */
  pendingHandle?: SocketHandle | undefined
  open(fd: number): number
  unref(): void
  writeUtf8String(request: WriteRequest | null, text: string, handle?: SocketHandle): number | WriteRequest
}

type PipeClass = new (type: number) => PipeHandle

interface Shell {
  _handle: PipeHandle | null
}

function shellOf(socket: net.Socket): Shell {
  return socket as unknown as Shell
}

/** Takes a descriptor, or undefined: none will come. */
type Taker = (handle: SocketHandle | undefined) => void

export class DescriptorChannel {
  readonly #socket: net.Socket
  readonly #handle: PipeHandle
  readonly #isAccepted: boolean
  readonly #takers = new Map<number, Taker>()
  /** Those that nobody has asked for yet. */
  readonly #arrived = new Map<number, SocketHandle | undefined>()
  readonly #onClosed: (() => void)[] = []
  #onHello: (() => void) | undefined
  #underWay = 0
  /** They wait until more may be under way. */
  #toSend: (() => void)[] = []
  /** Messages of the other side that have come, and that it was not told of yet. */
  #come = 0
  /** The part of a message that has come. */
  #text = ''
  #isOpen = true

  private constructor(handle: PipeHandle, isAccepted: boolean) {
    this.#handle = handle
    this.#isAccepted = isAccepted
    const buffer = Buffer.alloc(8 * TICKET_CHARS)
    const callback = (length: number): boolean => {
      this.#read(buffer.toString('latin1', 0, length))
      return true
    }
    const options = {
      handle: this.#handle,
      onread: { buffer, callback },
      allowHalfOpen: true,
      manualStart: true,
      pauseOnCreate: true,
    }
    this.#socket = new net.Socket(options)
    this.#socket.on('error', () => undefined)
    this.#socket.on('end', () => this.close())
    this.#socket.on('close', () => this.#lose())
    this.#socket.unref()
  }

  /**
   * Over a connection of which nothing was read, and which is not to be used in any other way. Undefined: Node works
   * otherwise.
   */
  static accept(socket: net.Socket): DescriptorChannel | undefined {
    const shell = shellOf(socket)
    const accepted = shell._handle
    if (accepted === null || typeof accepted.writeUtf8String !== 'function') return undefined
    const handle = new (accepted.constructor as PipeClass)(IPC)
    if (handle.open(accepted.fd) !== 0) return undefined
    // Two handles now have one descriptor, and the one that is not used must not close it. So it stays, closed or not,
    // for the life of the thread. Node closes what it refers to when the thread ends: see close().
    shell._handle = null
    socket.destroy()
    accepted.unref()
    const channel = new DescriptorChannel(handle, true)
    channel.#socket.resume()
    channel.#write(HELLO, undefined, () => undefined)
    return channel
  }

  /** Connects to where the other thread accepts. Rejects if it does not. */
  static connect(path: string): Promise<DescriptorChannel> {
    const channel = new DescriptorChannel(new (pipeClass())(IPC), false)
    return new Promise((resolve, reject) => {
      const fail = (error?: Error): void => reject(error ?? notAccepted())
      channel.#onHello = () => resolve(channel)
      channel.whenClosed(fail)
      channel.#socket.once('error', fail)
      channel.#socket.once('connect', () => channel.#socket.resume())
      channel.#socket.connect(path)
    })
  }

  /** Calls back once the channel is closed, by whichever side. */
  whenClosed(callback: () => void): void {
    if (this.#isOpen) this.#onClosed.push(callback)
    else callback()
  }

  /** Sends a duplicate. False: it did not leave. What was sent may still be lost, which its receiver learns. */
  send(ticket: number, handle: SocketHandle): Promise<boolean> {
    return new Promise((resolve) => {
      this.#toSend.push(() => {
        const isThere = this.#isOpen && handle.fd >= 0
        if (!isThere) {
          resolve(false)
          return
        }
        this.#underWay++
        this.#write(ticket, handle, (status) => {
          // The other side will not say that it has come.
          if (status !== 0) this.#underWay--
          resolve(status === 0)
          this.#sendOn()
        })
      })
      this.#sendOn()
    })
  }

  /** The duplicate that comes with a ticket, the caller's own. Undefined: it was lost, or none will come. */
  receive(ticket: number): Promise<SocketHandle | undefined> {
    if (this.#arrived.has(ticket)) {
      const handle = this.#arrived.get(ticket)
      this.#arrived.delete(ticket)
      return Promise.resolve(handle)
    }
    if (!this.#isOpen) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#takers.set(ticket, resolve)
    })
  }

  /** Nothing was sent with this ticket, and nothing will be. */
  cancel(ticket: number): void {
    this.#takers.get(ticket)?.(undefined)
    this.#takers.delete(ticket)
  }

  /** Nothing comes or leaves any more. */
  close(): void {
    if (!this.#isOpen) return
    this.#lose()
    // When a thread ends, Node closes the number for each of the two handles. Unless it is open until then, it may be
    // another file's for long by then. See docs/decisions/descriptors.md.
    if (this.#isAccepted && !isMainThread) this.#socket.pause()
    else this.#socket.destroy()
  }

  #sendOn(): void {
    while (this.#underWay < MOST_UNDER_WAY || !this.#isOpen) {
      const send = this.#toSend.shift()
      if (send === undefined) return
      send()
    }
  }

  #write(ticket: number, handle: SocketHandle | undefined, sent: Sent): void {
    const text = ticket.toString(16).padStart(TICKET_CHARS, '0')
    const request = newWriteRequest()
    if (request !== null) request.oncomplete = sent
    const result = this.#handle.writeUtf8String(request, text, handle)
    if (typeof result === 'number') {
      // With a request of ours, success is told by `oncomplete`.
      if (result !== 0 || request === null) sent(result)
      return
    }
    result.oncomplete = sent
    if (typeof result.writeStatus === 'number') sent(result.writeStatus)
  }

  #read(text: string): void {
    // The system ends a read behind the bytes that a descriptor came with, so it belongs to the last message.
    let handle = this.#handle.pendingHandle
    this.#handle.pendingHandle = undefined
    this.#text += text
    const last = this.#text.length - TICKET_CHARS
    for (let at = 0; at <= last; at += TICKET_CHARS) {
      const isLast = at + TICKET_CHARS > last
      this.#take(parseInt(this.#text.slice(at, at + TICKET_CHARS), 16), isLast ? handle : undefined)
      if (isLast) handle = undefined
    }
    this.#text = this.#text.slice(this.#text.length - (this.#text.length % TICKET_CHARS))
    handle?.close()
  }

  #take(ticket: number, handle: SocketHandle | undefined): void {
    if (ticket === HELLO) {
      if (this.#onHello === undefined) this.#underWay -= COME_AT_ONCE
      else this.#onHello()
      this.#onHello = undefined
      this.#sendOn()
      return
    }
    if (++this.#come === COME_AT_ONCE) {
      this.#come = 0
      this.#write(HELLO, undefined, () => undefined)
    }
    const taker = this.#takers.get(ticket)
    this.#takers.delete(ticket)
    if (taker === undefined) this.#arrived.set(ticket, handle)
    else taker(handle)
  }

  #lose(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const callback of this.#onClosed) callback()
    this.#sendOn()
    for (const take of this.#takers.values()) take(undefined)
    this.#takers.clear()
    for (const handle of this.#arrived.values()) handle?.close()
    this.#arrived.clear()
  }
}

/** libuv closes a connection that the process has no descriptor left to accept with. */
function notAccepted(): Error {
  return Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' })
}

let knownPipeClass: PipeClass | undefined

/** Node keeps the class of its handles to itself. A socket has one from the moment in which it connects. */
function pipeClass(): PipeClass {
  if (knownPipeClass !== undefined) return knownPipeClass
  // Refused: no socket is there.
  const socket = net.connect({ path: '/' })
  socket.on('error', () => undefined)
  const handle = shellOf(socket)._handle
  if (handle === null) throw new Error('this version of Node has no handle in a socket')
  socket.destroy()
  knownPipeClass = handle.constructor as PipeClass
  return knownPipeClass
}

let knownRequest: (() => WriteRequest | null) | undefined

/**
 * What Node keeps an asynchronous write in; null where the handle makes it by itself (Node 26). The class of these is
 * Node's own too: it shows when a socket writes to a handle, here one that does nothing.
 */
function newWriteRequest(): WriteRequest | null {
  if (knownRequest === undefined) {
    const nothing = (): number => 0
    const writeUtf8String = (request: WriteRequest | null): number => {
      const Request = request?.constructor as (new () => WriteRequest) | undefined
      knownRequest = Request === undefined ? () => null : () => new Request()
      return 0
    }
    const handle = {
      writeUtf8String,
      close: nothing,
      readStart: nothing,
      readStop: nothing,
      ref: nothing,
      unref: nothing,
    }
    const options = { handle, readable: false, manualStart: true }
    new net.Socket(options).write('-', 'utf8')
  }
  if (knownRequest === undefined) throw new Error('this version of Node writes to a handle in another way')
  return knownRequest()
}
