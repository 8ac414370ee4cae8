/** Main's end of what carries descriptors, while the shard at the other end answers, fails, or dies. */
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { DescriptorChannel } from '../../../engine/internals/descriptor-channel.js'
import { handleOf, type SocketHandle } from '../../../engine/internals/socket-handle.js'
import type { ShardControl } from '../../../engine/protocol/control.js'
import { serializeError, TransportError } from '../../../engine/protocol/errors.js'
import type { ControlClient } from '../../../engine/shard/control-client.js'
import { DescriptorExchange } from '../../../engine/shard/descriptor-exchange.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { signal, turns } from '../../helpers/turns.js'

const onUnix = process.platform === 'win32' ? test.skip : test

/** What the shard does when it is asked for a duplicate: true if it has sent it. */
type Answer = (channel: DescriptorChannel, ticket: number) => Promise<boolean>

/** A shard in this thread. */
class FakeShard {
  readonly exchange: DescriptorExchange
  channel: DescriptorChannel | undefined
  opened = 0
  refusesToOpen = false
  answer: Answer = () => Promise.resolve(false)
  #isLost = false
  readonly #losses: ((error: Error) => void)[] = []

  constructor() {
    const control: Pick<ControlClient, 'call'> = {
      call: (name, ...args) => {
        const done = this.#call(name, args) as Promise<never>
        return Promise.race([done, new Promise<never>((_, reject) => this.#losses.push(reject))])
      },
    }
    this.exchange = new DescriptorExchange(control)
  }

  /** As when the thread has ended: its calls reject first, then the rest is closed. */
  die(): void {
    this.#isLost = true
    for (const reject of this.#losses) reject(new TransportError('ERR_SHARD_LOST', 'it has died'))
    this.channel?.close()
    this.exchange.close()
  }

  async #call(name: keyof ShardControl, args: readonly unknown[]): Promise<unknown> {
    if (this.#isLost) throw new TransportError('ERR_SHARD_LOST', 'it has died')
    if (name === 'openDescriptors') {
      this.opened++
      if (this.refusesToOpen) return { ok: false, error: serializeError(new Error('it does not connect')) }
      this.channel = await DescriptorChannel.connect(String(args[0]))
      return { ok: true }
    }
    if (this.channel === undefined) throw new Error('it was asked before it had a channel')
    return this.answer(this.channel, Number(args[1]))
  }
}

/** A shard, and a connection whose near end it has. The far end must see its end, or somebody has a duplicate left. */
async function onStage(
  t: ExecutionContext,
  body: (shard: FakeShard, handle: SocketHandle, far: net.Socket) => Promise<void>,
): Promise<void> {
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const server = net.createServer({ allowHalfOpen: true })
  const shard = new FakeShard()
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const near = net.connect(path)
    const [far] = await accepted
    const handle = handleOf(near)
    if (handle === undefined) throw new Error('no handle')
    const ended = once(far, 'end')
    far.resume()
    await body(shard, handle, far)
    near.destroy()
    await ended
    far.destroy()
    t.pass()
  } finally {
    shard.die()
    server.close()
    await folder.remove()
  }
}

onUnix('what the shard sends is the caller’s own', async (t) => {
  await onStage(t, async (shard, handle, far) => {
    shard.answer = (channel, ticket) => channel.send(ticket, handle)
    const [first, second] = await Promise.all([shard.exchange.take(1), shard.exchange.take(2)])
    if (first === undefined || second === undefined) throw new Error('none came')
    t.is(new Set([handle.fd, first.fd, second.fd]).size, 3)
    t.is(shard.opened, 1)
    const heard = once(far, 'data')
    fs.writeSync(first.fd, 'hello')
    t.deepEqual(await heard, [Buffer.from('hello')])
    first.close()
    second.close()
  })
})

onUnix('there is none where the shard has none to send, and one may be had later', async (t) => {
  await onStage(t, async (shard, handle) => {
    t.is(await shard.exchange.take(1), undefined)
    shard.answer = (channel, ticket) => channel.send(ticket, handle)
    const taken = await shard.exchange.take(1)
    t.not(taken, undefined)
    taken?.close()
    t.is(shard.opened, 1)
  })
})

for (const [when, pause] of [
  ['before', () => Promise.resolve()],
  ['after', () => turns(5)],
] as const) {
  onUnix(`a shard that dies once it has sent one, ${when} main has got it, leaves none open`, async (t) => {
    await onStage(t, async (shard, handle) => {
      const sent = signal()
      shard.answer = async (channel, ticket) => {
        await channel.send(ticket, handle)
        sent.resolve()
        // It never says so.
        return new Promise(() => undefined)
      }
      const taken = shard.exchange.take(1)
      await sent.promise
      await pause()
      shard.die()
      t.is(await taken, undefined)
    })
  })
}

onUnix('a call that fails though the duplicate comes leaves none open, and others still come', async (t) => {
  await onStage(t, async (shard, handle) => {
    shard.answer = async (channel, ticket) => {
      await channel.send(ticket, handle)
      throw new Error('it could not say so')
    }
    t.is(await shard.exchange.take(1), undefined)
    shard.answer = (channel, ticket) => channel.send(ticket, handle)
    const taken = await shard.exchange.take(1)
    t.not(taken, undefined)
    taken?.close()
  })
})

onUnix('while the way is being made, a shard that dies is waited for no longer', async (t) => {
  await onStage(t, async (shard) => {
    const taken = shard.exchange.take(1)
    shard.die()
    t.is(await taken, undefined)
    t.is(await shard.exchange.take(1), undefined)
  })
})

onUnix('where there is no way, it is tried again', async (t) => {
  await onStage(t, async (shard, handle) => {
    shard.answer = (channel, ticket) => channel.send(ticket, handle)
    shard.refusesToOpen = true
    t.is(await shard.exchange.take(1), undefined)
    await t.throwsAsync(shard.exchange.give({ handle, endpoint: 'unix:x', folder: undefined }), {
      message: /it does not connect/,
    })
    shard.refusesToOpen = false
    const taken = await shard.exchange.take(1)
    t.not(taken, undefined)
    taken?.close()
    t.is(shard.opened, 3)
  })
})

onUnix('a way that has closed is made anew, and nobody waits for what would have come by it', async (t) => {
  await onStage(t, async (shard, handle) => {
    const asked = signal()
    shard.answer = () => {
      asked.resolve()
      return Promise.resolve(true)
    }
    const waiting = shard.exchange.take(1)
    await asked.promise
    shard.channel?.close()
    t.is(await waiting, undefined)
    shard.answer = (channel, ticket) => channel.send(ticket, handle)
    const taken = await shard.exchange.take(1)
    t.not(taken, undefined)
    taken?.close()
    t.is(shard.opened, 2)
  })
})

onUnix('what main gives arrives with its ticket', async (t) => {
  await onStage(t, async (shard, handle) => {
    const ticket = await shard.exchange.give({ handle, endpoint: 'unix:x', folder: undefined })
    const given = await shard.channel?.receive(ticket)
    t.not(given?.fd, handle.fd)
    given?.close()
  })
})
