/**
 * The peers that faults happen to: one on a Unix socket, one that is a child of the engine, one in the engine itself,
 * and one in its shards.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Endpoint, Engine, HandlerListener } from '../../api/index.js'
import type { ChildPeerConfig } from './child-peer.js'
import type { EnginePeer } from './engine-peer.js'
import { word, type HandlerPeerApi, type HandlerPeerData } from './handler-peer.js'
import type { PeerFraming } from './peer-framing.js'
import { readRecord, type RecordEntry } from './record.js'
import type { SocketPeerConfig } from './socket-peer.js'

export interface Peer {
  /**
   * Reads nothing and sends nothing, until `goOn()`. `pid`: of the connection's child process, if it has one.
   */
  stop(pid: number | undefined): void
  goOn(pid: number | undefined): void
  record(): RecordEntry[]
  close(): Promise<void>
}

const program = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url))

/** If the process is gone already, there is nothing to do. */
export function signalProcess(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(pid, signal)
  } catch {
    // Gone.
  }
}

/** The programs of peers that listen. */
type Server = 'socket-peer' | 'shared-peer'

export class SocketPeer implements Peer {
  readonly path: string
  readonly #server: Server
  readonly #config: SocketPeerConfig
  #process: ChildProcess

  private constructor(server: Server, config: SocketPeerConfig, peer: ChildProcess) {
    this.path = config.path
    this.#server = server
    this.#config = config
    this.#process = peer
  }

  static async start(config: SocketPeerConfig, server: Server = 'socket-peer'): Promise<SocketPeer> {
    return new SocketPeer(server, config, await launch(server, config))
  }

  stop(): void {
    signalProcess(this.#process.pid, 'SIGSTOP')
  }

  goOn(): void {
    signalProcess(this.#process.pid, 'SIGCONT')
  }

  /** Resolves when it is gone; its socket file stays. */
  async kill(): Promise<void> {
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  async restart(): Promise<void> {
    this.#process = await launch(this.#server, this.#config)
  }

  deleteSocketFile(): void {
    fs.unlinkSync(this.path)
  }

  /** Makes its socket file again and listens there. */
  async listenAnew(): Promise<void> {
    const listening = once(this.#process, 'message')
    this.#process.send('listen')
    await listening
  }

  record(): RecordEntry[] {
    return readRecord(this.#config.record)
  }

  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit')
      this.#process.disconnect()
      await gone
    }
    fs.rmSync(this.path, { force: true })
  }
}

async function launch(server: Server, config: SocketPeerConfig): Promise<ChildProcess> {
  const peer = fork(program(server), [JSON.stringify(config)], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  // One that is stopped does not see the end of its channel.
  const endIt = (): void => void peer.kill('SIGKILL')
  process.once('exit', endIt)
  peer.once('exit', () => process.off('exit', endIt))
  const ended = once(peer, 'exit').then(() => {
    throw new Error('the peer ended before it listened')
  })
  ended.catch(() => undefined)
  await Promise.race([once(peer, 'message'), ended])
  return peer
}

/** Each connect starts the child, so there is nothing to start here. */
export class ChildPeer implements Peer {
  readonly endpoint: Endpoint
  readonly #record: string

  constructor(framing: PeerFraming, record: string) {
    this.#record = record
    const config: ChildPeerConfig = { framing, record }
    this.endpoint = {
      kind: 'stdio',
      command: process.execPath,
      args: [program('child-peer'), JSON.stringify(config)],
      stderr: 'inherit',
      terminateAfterMs: 500,
      killAfterMs: 500,
    }
  }

  stop(pid: number | undefined): void {
    signalProcess(pid, 'SIGSTOP')
  }

  goOn(pid: number | undefined): void {
    signalProcess(pid, 'SIGCONT')
  }

  record(): RecordEntry[] {
    return readRecord(this.#record)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** A handler module in the shards of the host's own engine. */
export class ShardPeer implements Peer {
  readonly #listener: HandlerListener<HandlerPeerApi>
  readonly #data: HandlerPeerData

  private constructor(listener: HandlerListener<HandlerPeerApi>, data: HandlerPeerData) {
    this.#listener = listener
    this.#data = data
  }

  static async listen(engine: Engine, endpoint: string, framing: PeerFraming, record: string): Promise<ShardPeer> {
    const words = new Int32Array(new SharedArrayBuffer(word.WORDS * Int32Array.BYTES_PER_ELEMENT))
    const data: HandlerPeerData = { framing, record, words }
    // CommonJS: a thread that dies while Node imports an ES module leaves the file open that was being read.
    const handler = new URL('./handler-peer.cjs', import.meta.url)
    const transport = engine.transport(endpoint, { framing: 'raw' })
    return new ShardPeer(await transport.listen<HandlerPeerApi>({ handler, data }), data)
  }

  stop(): void {
    Atomics.store(this.#data.words, word.PAUSED, 1)
  }

  goOn(): void {
    Atomics.store(this.#data.words, word.PAUSED, 0)
    // A shard that is gone has nothing to go on with.
    for (const { api } of this.#listener.handlers) api.goOn().catch(() => undefined)
  }

  record(): RecordEntry[] {
    return readRecord(this.#data.record)
  }

  async close(): Promise<void> {
    this.goOn()
    await this.#listener.close()
  }
}

/** In the host's own engine. */
export class OwnPeer implements Peer {
  readonly #peer: EnginePeer
  readonly #record: string

  constructor(peer: EnginePeer, record: string) {
    this.#peer = peer
    this.#record = record
  }

  stop(): void {
    this.#peer.pause()
  }

  goOn(): void {
    this.#peer.resume()
  }

  record(): RecordEntry[] {
    return readRecord(this.#record)
  }

  close(): Promise<void> {
    return this.#peer.close()
  }
}
