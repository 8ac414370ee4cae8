/** The program that is measured: one role over one stack, as told by its argument and then over IPC. */
import type { FrameBatch } from '../../api/index.js'
import { Distribution } from '../harness/distribution.js'
import { monotonicMs } from '../harness/monotonic.js'
import { endByItself } from '../harness/runner-end.js'
import {
  HUB_ECHO_BYTES,
  stamp,
  stampOf,
  type FromSide,
  type OpenLoopOrder,
  type Order,
  type PingOrder,
  type RequestsOrder,
  type SideConfig,
  type SourceOrder,
} from '../harness/messages.js'
import { BurstSender, BurstTaker } from './bursts.js'
import { childProcessStack, engineChildStack } from './child-stacks.js'
import { Clients } from './clients.js'
import { clusterStack } from './cluster-stack.js'
import { engineStack } from './engine-stack.js'
import { startHost } from './http-host.js'
import { httpStack } from './http-stack.js'
import { Hub } from './hub.js'
import { LoopWatch } from './loop-watch.js'
import { MainBlocks } from './main-blocks.js'
import { netStack } from './net-stack.js'
import { OpenLoop } from './open-loop.js'
import { Pacer } from './pacer.js'
import type { Peer, PeerStack } from './peer.js'

/** Of two samples of a shard: `engine.stats()` takes none sooner. */
const LEAST_SAMPLE_MS = 200

const config = JSON.parse(process.argv[2] ?? '{}') as SideConfig
const stack = await stackFor(config)

function stackFor(settings: SideConfig): PeerStack | Promise<PeerStack> {
  switch (settings.stack) {
    case 'net':
      return netStack(settings)
    case 'http':
      return httpStack(settings)
    case 'net-cluster':
      return clusterStack(settings)
    case 'engine':
    case 'engine-module':
      return engineStack(settings)
    case 'engine-child':
      return engineChildStack(settings)
    case 'child-process':
      return childProcessStack(settings)
  }
}

function say(message: FromSide): void {
  process.send?.(message)
}

const peers: Peer[] = []
let onReply: (frame: Buffer, connection: number) => void = () => undefined
const received = { wanted: 0, frames: 0, bytes: 0, checksum: 0 }

function countFrame(frame: Buffer): void {
  received.frames++
  received.bytes += frame.length
  received.checksum += stampOf(frame)
  tellIfAllCame()
}

function countBatch(batch: FrameBatch): void {
  const { length, bytes } = batch
  received.frames += length
  for (let i = 0; i < length; i++) {
    received.bytes += batch.size(i)
    received.checksum += stampOf(bytes, batch.offset(i))
  }
  tellIfAllCame()
}

function tellIfAllCame(): void {
  if (received.frames !== received.wanted) return
  say({ kind: 'sink', endedNs: process.hrtime.bigint().toString(), ...received })
}

const hub = new Hub()
const loop = new LoopWatch()
let closeHost = (): Promise<void> => Promise.resolve()
const blocks = new MainBlocks()
let loopsBegan = { at: 0, main: performance.eventLoopUtilization() }
const bursts = new BurstSender()
const taker = new BurstTaker()
let clients: Clients | undefined
let pacer: Pacer | undefined

switch (config.role) {
  case 'hub':
    await stack.listen((peer) => {
      peer.prepare(HUB_ECHO_BYTES)
      return (frame) => {
        if (frame.length === HUB_ECHO_BYTES) peer.send(stampOf(frame))
        else hub.count(frame)
      }
    })
    break
  case 'host':
    closeHost = await host(config)
    break
  case 'echo':
    await stack.echo()
    break
  case 'answer':
    await stack.answer('echo')
    break
  case 'work':
    await stack.answer('work')
    break
  case 'clients':
    clients = await Clients.connect(() => {
      if (stack.client === undefined) throw new Error(`${config.stack} has no clients`)
      return stack.client()
    }, config)
    break
  case 'sink':
    if (config.batches === true) await stack.listenForBatches?.(countBatch)
    else await stack.listen(() => countFrame)
    break
  case 'bursts':
  case 'take':
    await meet(config.role)
    break
  case 'ping':
  case 'source':
    for (let i = 0; i < config.connections; i++) {
      peers.push(
        await stack.connect((frame) => {
          onReply(frame, i)
        }),
      )
    }
    break
}

async function host(settings: SideConfig): Promise<() => Promise<void>> {
  const asker = settings.host && (await stack.asker?.(settings.host.sharing))
  if (settings.host === undefined || asker === undefined) throw new Error('this stack asks nobody')
  return startHost(settings.host, asker)
}

/** The only peer of this program. */
async function meet(role: 'bursts' | 'take'): Promise<void> {
  let own: Peer | undefined
  const onFrame = (frame: Buffer): void => {
    if (role === 'bursts') bursts.onFrame()
    const taken = own !== undefined && role === 'take' ? taker.onFrame(own, frame) : undefined
    if (taken !== undefined) say(taken)
  }
  const keep = (peer: Peer): void => {
    own = peer
    peers.push(peer)
  }
  if (config.listens !== true) keep(await stack.connect(onFrame))
  else
    await stack.listen((peer) => {
      keep(peer)
      return onFrame
    })
}

function onlyPeer(): Peer {
  const [peer] = peers
  if (peer === undefined) throw new Error('no connection')
  return peer
}

/** One at a time over the first connection; each reply's stamp is checked. */
async function ping(order: PingOrder): Promise<void> {
  const peer = onlyPeer()
  peer.prepare(order.bytes)
  const samples = new Float64Array(order.count)
  const sentAt = new Float64Array(order.count)
  let sent = 0
  let back = 0
  let wrong = 0
  const send = (): void => {
    sentAt[sent] = performance.now()
    peer.send(stamp(sent))
    sent++
  }
  await new Promise<void>((resolve) => {
    onReply = (frame) => {
      samples[back] = (performance.now() - (sentAt[back] ?? 0)) * 1000
      if (frame.length !== order.bytes || stampOf(frame) !== stamp(back)) wrong++
      if (++back === order.count) resolve()
      else send()
    }
    send()
  })
  const took = Distribution.ofMicros(samples)
  say({
    kind: 'ping',
    count: back,
    wrong,
    meanMicros: took.meanMicros,
    p50Micros: took.micros(50),
    p99Micros: took.micros(99),
    distribution: took.encoded,
  })
}

async function openLoop({ bytes, count, rateHz, keepsTimes }: OpenLoopOrder): Promise<void> {
  for (const peer of peers) peer.prepare(bytes)
  pacer ??= new Pacer()
  let wrong = 0
  const loop = new OpenLoop({ count, rateHz, connections: peers.length }, monotonicMs, (number, connection) => {
    peers[connection]?.send(stamp(number))
  })
  const over = new Promise<void>((resolve) => {
    onReply = (frame, connection) => {
      const number = loop.answered(connection)
      if (frame.length !== bytes || stampOf(frame) !== stamp(number)) wrong++
      if (loop.isOver) resolve()
    }
  })
  const { due, sent, answered } = loop.times
  const sendDue = (): void => {
    loop.sendDue()
  }
  const { cpuMs } = await pacer.pace({ startsAt: due[0] ?? 0, intervalMs: 1_000 / rateHz, count }, sendDue)
  sendDue()
  await over
  say({
    kind: 'open-loop',
    count,
    wrong,
    distribution: Distribution.ofMicros(due.map((at, number) => ((answered[number] ?? 0) - at) * 1_000)).encoded,
    lateness: Distribution.ofMicros(due.map((at, number) => ((sent[number] ?? 0) - at) * 1_000)).encoded,
    pacerCpuMs: cpuMs,
    times:
      keepsTimes === true
        ? [...due].map((at, i) => ({ due: at, sent: sent[i] ?? 0, answered: answered[i] ?? 0 }))
        : undefined,
  })
}

async function request(order: RequestsOrder): Promise<void> {
  if (clients === undefined) throw new Error('no clients')
  say(await clients.request(order))
}

/** What a batch of the source has. */
const BATCH_FRAMES = 64

/** `count` frames over one connection, waiting for room when there is none. */
async function pour(peer: Peer, count: number): Promise<{ frames: number; checksum: number }> {
  let checksum = 0
  if (config.batches === true) {
    for (let i = 0; i < count; i += BATCH_FRAMES) {
      const length = Math.min(BATCH_FRAMES, count - i)
      for (let j = 0; j < length; j++) checksum += stamp(i + j)
      if (peer.sendBatch?.(stamp(i), length) !== true) await peer.ready()
    }
    return { frames: count, checksum }
  }
  for (let i = 0; i < count; i++) {
    const mark = stamp(i)
    checksum += mark
    if (!peer.send(mark)) await peer.ready()
  }
  peer.flush()
  return { frames: count, checksum }
}

/** As fast as backpressure allows, spread over all connections. */
async function source(order: SourceOrder): Promise<void> {
  for (const peer of peers) peer.prepare(order.bytes)
  const startedNs = process.hrtime.bigint().toString()
  const share = Math.ceil(order.frames / peers.length)
  const sent = await Promise.all(peers.map((peer, index) => pour(peer, Math.min(share, order.frames - index * share))))
  const frames = sent.reduce((sum, one) => sum + one.frames, 0)
  const checksum = sent.reduce((sum, one) => sum + one.checksum, 0)
  say({ kind: 'source', startedNs, frames, checksum })
}

async function stop(): Promise<void> {
  await closeHost()
  clients?.close()
  await pacer?.close()
  process.exitCode = (await stack.close()) ? 0 : 3
  endByItself()
}

let floodOver = new AbortController()

async function flood(bytes: number): Promise<void> {
  const peer = onlyPeer()
  peer.prepare(bytes)
  floodOver = new AbortController()
  const { signal } = floodOver
  let frames = 0
  while (!signal.aborted) {
    const room = peer.send(stamp(frames++))
    if (room) continue
    peer.flush()
    // Even if the peer has room again at once, the order to stop must get through.
    await peer.ready()
    await new Promise(setImmediate)
  }
  peer.flush()
  say({ kind: 'flood', frames })
}

process.on('message', (order: Order) => {
  if (order.kind === 'stop') {
    void stop()
    return
  }
  say({ kind: 'armed' })
  const fail = (error: unknown): void => {
    say({ kind: 'failed', message: String(error) })
  }
  switch (order.kind) {
    case 'ping':
      ping(order).catch(fail)
      break
    case 'open-loop':
      openLoop(order).catch(fail)
      break
    case 'requests':
      request(order).catch(fail)
      break
    case 'source':
      source(order).catch(fail)
      break
    case 'flood':
      flood(order.bytes).catch(fail)
      break
    case 'stop-flood':
      floodOver.abort()
      break
    case 'watch':
      hub.watch()
      break
    case 'report':
      say(hub.report())
      break
    case 'watch-delay':
      loop.begin()
      break
    case 'report-delay':
      say(loop.report())
      break
    case 'reset-hops':
      stack.hops?.reset()
      break
    case 'report-hops':
      say({ kind: 'hops', hops: stack.hops?.read() ?? [] })
      break
    case 'watch-loops':
      loopsBegan = { at: performance.now(), main: performance.eventLoopUtilization() }
      stack.shardUtilization?.()
      break
    case 'report-loops': {
      const { utilization: main } = performance.eventLoopUtilization(loopsBegan.main)
      const isLongEnough = performance.now() - loopsBegan.at > LEAST_SAMPLE_MS
      say({ kind: 'loops', main, shards: (isLongEnough ? stack.shardUtilization?.() : undefined) ?? [] })
      break
    }
    case 'block':
      blocks.begin(order)
      break
    case 'unblock':
      say({ kind: 'blocks', blocks: blocks.end() })
      break
    case 'bursts':
      bursts.send(onlyPeer(), order).then(say, fail)
      break
    case 'take':
      taker.begin(onlyPeer(), order)
      break
    case 'sink':
      Object.assign(received, { wanted: order.frames, frames: 0, bytes: 0, checksum: 0 })
      break
  }
})

say({ kind: 'ready', fallback: stack.fallback?.() })
