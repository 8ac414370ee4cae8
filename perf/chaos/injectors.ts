/**
 * How each kind of fault is injected. An injector returns when its fault has struck and the target has noticed.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortCalls } from './aborts.js'
import { DescriptorHog } from './descriptors.js'
import type { Misbehaviour } from './misbehaviour.js'
import { outlivesWorkers, type Action } from './plan.js'
import { strike, type Fault as Death } from './strikes.js'
import { signalProcess, SocketPeer } from './targets.js'
import type { Traffic } from './traffic.js'
import type { Target } from './start-target.js'
import type { World } from './world.js'

export function inject(world: World, target: Target, action: Action): Promise<void> {
  switch (action.kind) {
    case 'peer killed':
      return killPeer(world, target)
    case 'peer stopped':
      return stopPeer(world, target, action.until === 'stalled')
    case 'peer errs':
      return untilLost(world, target.traffic, () => orderAndGoOn(world, target.traffic, action.order))
    case 'refused':
      return refuse(world, target, action.attempts)
    case 'file deleted':
      return deleteFile(world, target, action.attempts)
    case 'descriptors':
      return exhaustDescriptors(world, target, action.attempts)
    case 'worker':
      if (outlivesWorkers(target.name)) return killOnlyWorker(world, target.traffic, action.death)
      return untilLost(world, target.traffic, () => killWorker(world, target.traffic, action.death))
    case 'aborts':
      return abortCalls(world, action.calls)
  }
}

/** Strikes, and waits until the loss of a connection is reported. */
async function untilLost(world: World, traffic: Traffic, strikeNow: () => Promise<void>): Promise<void> {
  // The fault before may have struck just now, and then there is no connection to lose. There is no await between this
  // and the strike.
  while (!traffic.isConnected) await connected(world, traffic)
  const { losses } = traffic.book
  await strikeNow()
  await world.gate.until(() => traffic.book.losses > losses)
}

function connected({ gate }: World, traffic: Traffic): Promise<void> {
  return gate.until(() => traffic.isConnected)
}

/** The peer gets the order like any other frame, unless the connection is lost first for another reason. */
async function orderAndGoOn({ gate }: World, traffic: Traffic, order: Misbehaviour): Promise<void> {
  const { losses } = traffic.book
  while (!traffic.order(order) && traffic.book.losses === losses) {
    await gate.until(() => traffic.isConnected || traffic.book.losses > losses)
    await nextTurn()
  }
}

function killPeer(world: World, { peer, traffic }: Target): Promise<void> {
  return untilLost(world, traffic, async () => {
    if (peer instanceof SocketPeer) {
      await peer.kill()
      await peer.restart()
    } else {
      signalProcess(traffic.pid, 'SIGKILL')
    }
  })
}

async function killWorker(world: World, { connection, book }: Traffic, death: Death): Promise<void> {
  const { losses } = book
  const givenUp = new AbortController()
  const struck = strike(world.engine, connection.info.shard, death, givenUp.signal).catch((error: unknown) => {
    if (!givenUp.signal.aborted) throw error
  })
  // The thread may die for another reason before the order arrives.
  await Promise.race([struck, world.gate.until(() => book.losses > losses)])
  givenUp.abort()
  await struck
}

/** Nothing of the target itself is lost; one that fell back to its socket may be. */
async function killOnlyWorker({ engine }: World, { connection }: Traffic, death: Death): Promise<void> {
  const { shard } = connection.info
  const { generation, state } = engine.stats().shards[shard] ?? {}
  // It is dead already.
  if (state !== 'up') return
  const givenUp = new AbortController()
  const replaced = async (): Promise<void> => {
    while (engine.stats().shards[shard]?.generation === generation) await nextTurn()
  }
  const struck = strike(engine, shard, death, givenUp.signal).catch((error: unknown) => {
    if (!givenUp.signal.aborted) throw error
  })
  // The thread may die for another reason before the order arrives.
  await Promise.race([struck, replaced()])
  givenUp.abort()
  await struck
}

async function stopPeer(world: World, { peer, traffic }: Target, mayStall: boolean): Promise<void> {
  await connected(world, traffic)
  const { pid } = traffic
  const { losses } = traffic.book
  peer.stop(pid)
  traffic.widen(true)
  await world.gate.until(() => (mayStall && traffic.isStalled) || traffic.book.losses > losses)
  peer.goOn(pid)
  traffic.widen(false)
}

async function refuse(world: World, { peer, traffic }: Target, attempts: number): Promise<void> {
  if (!(peer instanceof SocketPeer)) throw new Error('only a peer on a socket can refuse')
  const before = traffic.failures
  await peer.kill()
  await world.gate.until(() => traffic.failures >= before + attempts)
  await peer.restart()
}

async function deleteFile(world: World, { peer, traffic }: Target, attempts: number): Promise<void> {
  if (!(peer instanceof SocketPeer)) throw new Error('only a peer on a socket has a file')
  let before = 0
  await untilLost(world, traffic, () => {
    before = traffic.failures
    peer.deleteSocketFile()
    return orderAndGoOn(world, traffic, { do: 'cut' })
  })
  await world.gate.until(() => traffic.failures >= before + attempts)
  await peer.listenAnew()
}

async function exhaustDescriptors(world: World, { traffic }: Target, attempts: number): Promise<void> {
  await connected(world, traffic)
  const before = traffic.failures
  const hog = new DescriptorHog()
  try {
    let ordered = -1
    // Each connection that ends frees descriptors. The next attempt should get none of them, but now and then it does.
    while (traffic.failures < before + attempts) {
      hog.take()
      const { losses } = traffic.book
      if (losses !== ordered && traffic.isConnected && traffic.order({ do: 'cut' })) ordered = losses
      await nextTurn()
    }
  } finally {
    hog.release()
  }
}
