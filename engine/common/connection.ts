/** What a host sees of a connection, whichever carries it: one lane, one lane after another, or one lent by a pool. */
import type { TransportErrorCode } from '../protocol/errors.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { Frame } from './frame.js'

/** How a connection ended. */
export interface ClosedInfo {
  /** 'OK' after a clean end on both sides, otherwise the code of what ended it. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause?: Error | undefined
  /** Of a child process: its exit code, null if a signal ended it. */
  readonly exitCode?: number | null
  /** Of a child process: the signal that ended it, or null. */
  readonly signal?: NodeJS.Signals | null
}

/** A snapshot. A reconnecting connection counts over all its connections, and each frame once. */
export interface ConnectionInfo {
  /** Unique within the process. */
  readonly id: string
  readonly kind: string
  readonly endpoint: string
  /**
   * Index of the shard that carries it; over shared memory, of the one that connected or accepted it. -1 while a
   * reconnecting connection is not connected.
   */
  readonly shard: number
  /** When it was (first) connected, in epoch milliseconds; 0: never yet. */
  readonly establishedAt: number
  readonly framesSent: number
  /** Payload bytes. */
  readonly bytesSent: number
  readonly framesReceived: number
  /** Payload bytes. */
  readonly bytesReceived: number
  /** Epoch milliseconds of the last turn in which frames were sent or received; 0: never yet. */
  readonly lastActivityAt: number
  /** Of a child process. */
  readonly pid?: number
  /**
   * Where shared memory was asked for: what carries the frames. `socket`: shared memory could not be had;
   * `engine.stats().sharedMemory` says why, if that is due to this process. Missing while a reconnecting connection is
   * not connected.
   */
  readonly memory?: 'shared' | 'socket'
}

export interface SubscribeOptions {
  /** Gives a view, not a copy: its memory is used again once the handler returns, promise or not. Default: false. */
  readonly borrow?: boolean | undefined
}

/** Called with each frame. A returned promise holds the next frame back until it settles. */
export type FrameHandler = (frame: Buffer) => unknown

/**
 * Frames that came one behind the other, lent until the handler returns: promise or not, their memory is used again
 * then, and asking the batch for one of them throws. It makes no object for a frame unless it is asked for one. Indices
 * count from 0; one that no frame has throws ERR_INVALID_OPTION, and so does each once the handler has returned.
 */
export interface FrameBatch extends Iterable<Buffer> {
  /** How many frames it holds, from 1 to 256. */
  readonly length: number
  /** The memory that the frames lie in, in order; what lies between two of them is not theirs. */
  readonly bytes: Buffer
  /** Where in `bytes` a frame begins. */
  offset(index: number): number
  /** How long a frame is, in bytes; 0 is possible. */
  size(index: number): number
  /** A view of a frame, lent as the batch is. */
  frame(index: number): Buffer
  /** A copy of a frame, to keep. */
  copy(index: number): Buffer
  /** Views of all frames in turn, each as `frame()` makes it. */
  [Symbol.iterator](): IterableIterator<Buffer>
}

/** Called with the frames that have come. A returned promise holds the next ones back until it settles. */
export type BatchHandler = (batch: FrameBatch) => unknown

/** What a transport can do. */
export interface Capabilities {
  /** `end()` tells the peer, whose frames still arrive. */
  readonly halfClose: boolean
}

/**
 * A connection to a peer, dialled or accepted. Ordered, reliable, frame by frame.
 * Each direction ends separately; `closed` settles once all I/O is finished.
 */
export interface Connection extends AsyncDisposable {
  /** Settles exactly once, never rejects: how the connection ended. Frames received before stay readable. */
  readonly closed: Promise<ClosedInfo>
  readonly capabilities: Capabilities
  readonly info: ConnectionInfo
  /**
   * Bytes, frame headers included, that `send()` took and the operating system has not confirmed; over shared memory,
   * that the peer's engine has not taken. 0 once closed.
   */
  readonly pendingBytes: number

  /**
   * Sends one frame. It is taken, its bytes copied before this returns, or this throws and takes nothing. True: go on;
   * false: the ring is full and the frame waits in front of it, so call `ready()` before sending more.
   * @throws {TransportError} ERR_CLOSED, ERR_FRAME_TOO_LARGE, ERR_INVALID_FRAME, ERR_BACKPRESSURE, ERR_OUT_OF_MEMORY
   */
  send(frame: Frame): boolean

  /**
   * Sends each element of an array as one frame, in order: the fastest way to send many small ones that are there at
   * the same time. The peer sees what it would see of as many `send()`s. All frames are taken, or this throws and takes
   * none of them. True: go on; false: the ring is full and some of them wait in front of it, so call `ready()` before
   * sending more. An empty array sends nothing.
   * @throws {TransportError} ERR_CLOSED; ERR_FRAME_TOO_LARGE or ERR_INVALID_FRAME, which say which frame it is;
   * ERR_BACKPRESSURE if more than `maxPendingBytes` would wait; ERR_OUT_OF_MEMORY
   */
  sendBatch(frames: readonly Frame[]): boolean

  /**
   * Resolves once half of the ring is free, at once if it already is. Rejects with ERR_CLOSED when the connection
   * ends first, with ERR_ABORTED or ERR_TIMEOUT when the caller gives up.
   */
  ready(options?: WaitOptions): Promise<void>

  /**
   * The next frame, in a Buffer that the receiver may keep; undefined at the end of the stream. Rejects with what ended
   * the connection if it did not end cleanly, after the frames received before. One consumer at a time:
   * ERR_CONSUMER_BUSY. A child process ends its stream by its exit: undefined after exit code 0, else ERR_EXIT. Only
   * with `allowHalfOpen` the end of its stdout resolves to undefined at once, and `closed` says how it exited.
   */
  receive(options?: WaitOptions): Promise<Buffer | undefined>

  /** `for await (const frame of connection)`. Leaving the loop does not close the connection. */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined>

  /**
   * Calls `handler` with each frame. A handler that returns a promise gets the next frame
   * once it settles; one that throws or rejects destroys the connection with ERR_HANDLER, which goes to `onError` or
   * else into a process warning. What it sends after `close()` throws ERR_CLOSED, which is no failure of it.
   * @returns A function that ends the subscription.
   */
  subscribe(handler: FrameHandler, options?: SubscribeOptions): () => void

  /**
   * As `subscribe()` with `borrow`, for many frames in one call, which is the fastest way to receive small ones: at
   * most 256 frames, and at most 256 KiB unless one frame alone is larger. No call waits for a batch to fill: a frame
   * that comes alone is a batch of one. What holds for a handler of `subscribe()` holds here too: its promise holds the
   * next batch back, and its failure destroys the connection. One that ends its subscription has taken the whole batch.
   * @returns A function that ends the subscription.
   * @throws {TransportError} ERR_CONSUMER_BUSY, ERR_INVALID_OPTION
   */
  subscribeBatch(handler: BatchHandler): () => void

  /**
   * Ends the outgoing side: everything sent leaves, then the end of the stream. Resolves when it has left, or when
   * the connection is over. Frames of the peer still arrive. Giving the wait up does not take the end back.
   */
  end(options?: WaitOptions): Promise<void>

  /**
   * Ends gracefully: everything sent leaves, the peer's end is awaited, both bounded by `closeTimeoutMs`; then the
   * rest is cut. Resolves as `closed` does. Keep reading, or the peer's frames can fill the ring until the deadline. A
   * handler that is at work can send nothing from here on: wait for it first, as `engine.close()` does.
   */
  close(): Promise<ClosedInfo>

  /**
   * Ends at once. What was sent and has not left is lost, what was received and not taken is dropped. A peer that has
   * read all sees the end of the stream, as after `close()`: sockets of one machine know no other, unless bytes that it
   * sent are unread. `closed` settles with the reason's code if it is a TransportError, else with ERR_ABORTED, whose
   * cause is the reason. It never throws.
   */
  destroy(reason?: Error): void

  /** An open connection keeps the process alive. This is the default. */
  ref(): this

  /** The process may end although this connection is open. */
  unref(): this
}
