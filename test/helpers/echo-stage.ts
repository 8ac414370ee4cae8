/** An engine, and a peer that is none: a plain server that echoes every byte. */
import net from 'node:net'
import type { ExecutionContext } from 'ava'
import {
  createEngine,
  type Connection,
  type Engine,
  type EngineOptions,
  type TransportOptions,
} from '../../api/index.js'
import { makeTemporaryFolder, pathOf, type TemporaryFolder } from './temporary-folder.js'

export interface EchoStage {
  readonly engine: Engine
  readonly folder: TemporaryFolder
  /** Of the server. */
  readonly endpoint: string
  /** A connection to it. */
  readonly connect: (options?: TransportOptions) => Promise<Connection>
}

/** One shard, and nobody polls, unless the options say otherwise. At its end nothing has leaked. */
export async function withEchoStage(
  t: ExecutionContext,
  options: EngineOptions,
  body: (stage: EchoStage) => Promise<void>,
  watchdogMs = 20_000,
): Promise<void> {
  t.timeout(watchdogMs)
  const folder = await makeTemporaryFolder()
  const endpoint = folder.endpoint()
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).pipe(socket)
  })
  const engine = await createEngine({ shards: 1, wake: 'park', ...options })
  try {
    await new Promise<void>((resolve) => server.listen(pathOf(endpoint), resolve))
    const connect = (further?: TransportOptions) => engine.transport(endpoint, further).connect()
    await body({ engine, folder, endpoint, connect })
  } finally {
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
}
