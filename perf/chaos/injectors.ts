/** How each kind of fault is brought about. An injector returns when its fault has struck and the target has noticed. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortCalls } from './aborts.js'
import { DescriptorHog } from './descriptors.js'
import type { Misbehaviour } from './misbehaviour.js'
import type { Action } from './plan.js'
import { strike } from './strikes.js'
import { signalProcess, SocketPeer } from './targets.js'
import type { Traffic } from './traffic.js'
import type { Target, World } from './world.js'

export function inject(world: World, target: Target, action: Action): Promise<void> {
  switch (action.kind) {
    case 'peer killed':
      return killPeer(world, target)
    case 'peer stopped':
      return stopPeer(world, target)
    case 'peer errs':
      return untilLost(world, target.traffic, () => orderAndGoOn(world, target.traffic, action.order))
    case 'refused':
      return refuse(world, target, action.attempts)
    case 'file deleted':
      return deleteFile(world, target, action.attempts)
    case 'descriptors':
      return exhaustDescriptors(world, target, action.attempts)
    case 'worker':
      return untilLost(world, target.traffic, async () => {
        await connected(world, target.traffic)
        const { link, book } = target.traffic
        const { losses } = book
        const struck = strike(world.engine, link.info.shard, action.death)
        // The thread may die of something else before it is told.
        await Promise.race([struck, world.gate.until(() => book.losses > losses)])
      })
    case 'aborts':
      return abortCalls(world, action.calls)
  }
}

/** Strikes, and waits until the link says that a connection was lost. */
async function untilLost({ gate }: World, { book }: Traffic, strikeNow: () => Promise<void>): Promise<void> {
  const { losses } = book
  await strikeNow()
  await gate.until(() => book.losses > losses)
}

function connected({ gate }: World, traffic: Traffic): Promise<void> {
  return gate.until(() => traffic.isConnected)
}

/** The peer gets it like any other frame. It may be lost with a connection that ends for a reason of its own. */
async function orderAndGoOn(world: World, traffic: Traffic, order: Misbehaviour): Promise<void> {
  while (!traffic.order(order)) await connected(world, traffic).then(() => nextTurn())
}

function killPeer(world: World, { peer, traffic }: Target): Promise<void> {
  return untilLost(world, traffic, async () => {
    if (peer instanceof SocketPeer) {
      await peer.kill()
      await peer.restart()
    } else {
      await connected(world, traffic)
      signalProcess(traffic.pid, 'SIGKILL')
    }
  })
}

async function stopPeer(world: World, { peer, traffic }: Target): Promise<void> {
  await connected(world, traffic)
  const { pid } = traffic
  const { losses } = traffic.book
  peer.stop(pid)
  traffic.widen(true)
  await world.gate.until(() => traffic.isStalled || traffic.book.losses > losses)
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
  const before = traffic.failures
  peer.deleteSocketFile()
  await untilLost(world, traffic, () => orderAndGoOn(world, traffic, { do: 'cut' }))
  await world.gate.until(() => traffic.failures >= before + attempts)
  await peer.listenAnew()
}

async function exhaustDescriptors(world: World, { traffic }: Target, attempts: number): Promise<void> {
  await connected(world, traffic)
  const before = traffic.failures
  const hog = new DescriptorHog()
  try {
    // Each connection that ends gives descriptors back, of which the next one must get none; it may, now and then.
    for (let losses = -1; traffic.failures < before + attempts; await nextTurn()) {
      hog.take()
      if (traffic.book.losses === losses || !traffic.isConnected) continue
      if (traffic.order({ do: 'cut' })) ({ losses } = traffic.book)
    }
  } finally {
    hog.release()
  }
}
