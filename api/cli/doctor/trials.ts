/** Tries what can be tried in a second: threads, sockets and shared memory, each by a round trip. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createEngine, type Connection, type Engine } from '../../index.js'
import { describeDenial, isDenied } from '../../../engine/protocol/permission.js'
import type { Trial, Trials } from './facts.js'

/** How long one wait in a trial may take, and the trial itself, in milliseconds. */
const EACH_MS = 5_000
const TRIAL_MS = 10_000
/** One alone could listen without being given a descriptor. */
const SHARDS = 2
const isWindows = process.platform === 'win32'

/** Never rejects. */
export async function tryAll(): Promise<Trials> {
  const name = `doctor-${randomBytes(6).toString('hex')}`
  let folder: string | undefined
  const path = (file: string): string => {
    folder ??= fs.mkdtempSync(join(os.tmpdir(), 'symphony-doctor-'))
    return join(folder, file)
  }
  let engine: Engine | undefined
  try {
    const net = await trial(() => roundTripByNet(isWindows ? `\\\\.\\pipe\\${name}-net` : path('net')))
    const started = await trial(async () => {
      engine = await createEngine({ shards: SHARDS, bootTimeoutMs: EACH_MS })
    })
    return { net, engine: started, ...(engine === undefined ? notTried : await tryEngine(engine, name, path)) }
  } finally {
    await trial(async () => {
      await engine?.close()
    })
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true })
  }
}

const notTried = { listening: undefined, local: undefined, abstract: undefined, shared: undefined }

/** All at the same time: where one hangs, others do. */
async function tryEngine(
  engine: Engine,
  name: string,
  path: (file: string) => string,
): Promise<Pick<Trials, keyof typeof notTried>> {
  const [listening, local, abstract, shared] = await Promise.all([
    trial(() => roundTrip(engine, isWindows ? `pipe:${name}` : `unix:${path('listening')}`)),
    trial(() => roundTrip(engine, `local:${name}`)),
    process.platform === 'linux' ? trial(() => roundTrip(engine, `unix:@${name}`)) : undefined,
    isWindows ? undefined : sharedMemory(engine, () => `shm:${path('shared')}`),
  ])
  return { listening, local, abstract, shared }
}

/** One that does not end counts as one that has failed. */
async function trial(work: () => Promise<void>): Promise<Trial> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Trial>((resolve) => {
    const outcome = {
      works: false,
      reason: `nothing came of it within ${String(TRIAL_MS)} ms`,
      isPending: true,
    } as const
    timer = setTimeout(() => resolve(outcome), TRIAL_MS)
  })
  try {
    return await Promise.race([work().then(() => ({ works: true }) as const), late])
  } catch (error) {
    const text = isDenied(error) ? describeDenial(error) : error instanceof Error ? error.message : String(error)
    return { works: false, reason: text.trim().replaceAll(/\s*\n\s*/g, ' ') }
  } finally {
    clearTimeout(timer)
  }
}

async function sharedMemory(engine: Engine, endpoint: () => string): Promise<Trials['shared']> {
  let memory: string | undefined
  const tried = await trial(() =>
    roundTrip(engine, endpoint(), (used) => {
      memory = used
    }),
  )
  const { provider = 'koffi', reason = 'both ends are in one process' } = engine.stats().sharedMemory
  if (!tried.works) return tried
  return memory === 'shared' ? { works: true, provider } : { works: false, reason }
}

async function roundTrip(engine: Engine, endpoint: string, onMemory?: (memory?: string) => void): Promise<void> {
  const transport = engine.transport(endpoint)
  const echo = (connection: Connection): void => void connection.subscribe((frame) => void connection.send(frame))
  const listener = await transport.listen(echo, { timeoutMs: EACH_MS })
  try {
    const connection = await transport.connect({ timeoutMs: EACH_MS })
    onMemory?.(connection.info.memory)
    connection.send(endpoint)
    const answer = await connection.receive({ timeoutMs: EACH_MS })
    connection.destroy()
    if (String(answer) !== endpoint) throw new Error('the answer is not what was sent')
  } finally {
    await listener.close()
  }
}

/** What a socket carries without an engine. */
async function roundTripByNet(path: string): Promise<void> {
  const server = net.createServer((socket) => socket.pipe(socket))
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject)
      server.listen(path, () => {
        const socket = net.connect(path)
        socket.on('error', reject)
        socket.once('data', () => {
          socket.destroy()
          resolve()
        })
        socket.write('hello')
      })
    })
  } finally {
    server.close()
  }
}
