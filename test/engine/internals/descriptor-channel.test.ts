/** Descriptors between threads, and within one: every version of Node must pass all of it. */
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { DescriptorChannel } from '../../../engine/internals/descriptor-channel.js'
import { handleOf, type SocketHandle } from '../../../engine/internals/socket-handle.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const onUnix = process.platform === 'win32' ? test.skip : test

/** Both ends of a channel, and of a connection. */
async function withChannel(
  use: (ends: {
    accepted: DescriptorChannel
    connected: DescriptorChannel
    near: net.Socket
    far: net.Socket
  }) => Promise<void>,
): Promise<void> {
  const folder = await makeTemporaryFolder()
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  const path = folder.socketPath()
  const opened: { close(): void }[] = [server]
  const accept = async (): Promise<net.Socket> => {
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    return socket
  }
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const accepting = accept().then((socket) => DescriptorChannel.accept(socket))
    const connected = await DescriptorChannel.connect(path)
    const accepted = await accepting
    if (accepted === undefined) throw new Error('not accepted')
    opened.push(connected, accepted)
    const far = accept()
    const near = net.connect(path)
    await once(near, 'connect')
    await use({ accepted, connected, near, far: await far })
    near.destroy()
    ;(await far).destroy()
  } finally {
    for (const one of opened) one.close()
    await folder.remove()
  }
}

function fdOf(t: ExecutionContext, handle: SocketHandle | undefined): number {
  if (handle === undefined) {
    t.fail('there is no descriptor')
    return -1
  }
  return handle.fd
}

for (const [name, swap] of [
  ['connected', false],
  ['accepted', true],
] as const) {
  onUnix(`a descriptor that the ${name} end sends arrives as a duplicate with its ticket`, async (t) => {
    await withChannel(async ({ accepted, connected, near, far }) => {
      const [sender, receiver] = swap ? [accepted, connected] : [connected, accepted]
      const handle = handleOf(near)
      if (handle === undefined) throw new Error('no handle')
      const first = receiver.receive(7)
      t.true(await sender.send(7, handle))
      t.true(await sender.send(0xffff_ffff, handle))
      const duplicates = [await first, await receiver.receive(0xffff_ffff)]
      const numbers = new Set([handle.fd, ...duplicates.map((duplicate) => fdOf(t, duplicate))])
      t.is(numbers.size, 3)
      near.destroy()
      for (const [i, duplicate] of duplicates.entries()) {
        const heard = once(far, 'data')
        far.resume()
        fs.writeSync(fdOf(t, duplicate), `by ${String(i)}`)
        t.deepEqual(await heard, [Buffer.from(`by ${String(i)}`)])
      }
      const ended = once(far, 'end')
      for (const duplicate of duplicates) duplicate?.close()
      await ended
    })
  })
}

onUnix('when an end closes, nobody waits any more, and what was not asked for is closed', async (t) => {
  await withChannel(async ({ accepted, connected, near, far }) => {
    const handle = handleOf(near)
    if (handle === undefined) throw new Error('no handle')
    const awaited = accepted.receive(1)
    const closed = new Promise<void>((resolve) => {
      accepted.whenClosed(resolve)
    })
    t.true(await connected.send(2, handle))
    t.true(await connected.send(3, handle))
    fdOf(t, await accepted.receive(2))
    connected.close()
    await closed
    t.is(await awaited, undefined)
    t.is(await accepted.receive(4), undefined)
    t.false(await accepted.send(5, handle))
    near.destroy()
    far.resume()
  })
})

onUnix('a descriptor that was sent outlives the thread that has sent it', async (t) => {
  const folder = await makeTemporaryFolder()
  const paths = { meeting: folder.socketPath(), peer: folder.socketPath() }
  const [meeting, peer] = [net.createServer({ pauseOnConnect: true, allowHalfOpen: true }), net.createServer()]
  const opened: { close(): void }[] = [meeting, peer]
  try {
    await new Promise<void>((resolve) => meeting.listen(paths.meeting, resolve))
    await new Promise<void>((resolve) => peer.listen(paths.peer, resolve))
    const meets = once(meeting, 'connection') as Promise<[net.Socket]>
    const connects = once(peer, 'connection') as Promise<[net.Socket]>
    const thread = new Worker(new URL('../../fixtures/sending-thread.js', import.meta.url), { workerData: paths })
    const sent = once(thread, 'message')
    const channel = DescriptorChannel.accept((await meets)[0])
    if (channel === undefined) throw new Error('not accepted')
    opened.push(channel)
    t.deepEqual(await sent, [true])
    const duplicate = await channel.receive(1)
    await thread.terminate()
    const heard = once((await connects)[0], 'data')
    fs.writeSync(fdOf(t, duplicate), 'still here')
    t.deepEqual(await heard, [Buffer.from('still here')])
    const closed = once((await connects)[0], 'close')
    duplicate?.close()
    await closed
    t.is(await channel.receive(2), undefined, 'the channel is closed')
  } finally {
    for (const one of opened) one.close()
    await folder.remove()
  }
})

/** More than the system takes before some are read. */
const MANY = 600
const manyTickets = Array.from({ length: MANY }, (_, i) => i + 1)

onUnix('many descriptors that are sent at once all arrive', async (t) => {
  await withChannel(async ({ accepted, connected, near }) => {
    const handle = handleOf(near)
    if (handle === undefined) throw new Error('no handle')
    const sent = manyTickets.map((ticket) => connected.send(ticket, handle))
    for (const ticket of manyTickets) {
      const duplicate = await accepted.receive(ticket)
      t.true(fs.fstatSync(fdOf(t, duplicate)).isSocket())
      duplicate?.close()
    }
    t.true((await Promise.all(sent)).every(Boolean))
  })
})

onUnix('of many, those whose socket closes before their turn are not sent, and the next ones are', async (t) => {
  await withChannel(async ({ accepted, connected, near, far }) => {
    const [handle, other] = [near, far].map(handleOf)
    if (handle === undefined || other === undefined) throw new Error('no handle')
    const sending = manyTickets.map((ticket) => connected.send(ticket, handle))
    near.destroy()
    const sent = await Promise.all(sending)
    const count = sent.lastIndexOf(true) + 1
    t.true(count > 0 && count < 100, `${String(count)} were sent at once`)
    t.is(sent.indexOf(false), count)
    for (const ticket of manyTickets.slice(0, count)) (await accepted.receive(ticket))?.close()
    t.true(await connected.send(MANY + 1, other))
    const duplicate = await accepted.receive(MANY + 1)
    t.true(fs.fstatSync(fdOf(t, duplicate)).isSocket())
    duplicate?.close()
  })
})

onUnix('a ticket that is cancelled is answered with nothing', async (t) => {
  await withChannel(async ({ accepted }) => {
    const ticket = 9
    const awaited = accepted.receive(ticket)
    accepted.cancel(ticket)
    t.is(await awaited, undefined)
  })
})

onUnix('a closed socket is not sent', async (t) => {
  await withChannel(async ({ connected, near }) => {
    const handle = handleOf(near)
    if (handle === undefined) throw new Error('no handle')
    near.destroy()
    t.false(await connected.send(1, handle))
  })
})

onUnix('where nobody accepts there is no channel', async (t) => {
  const folder = await makeTemporaryFolder()
  try {
    await t.throwsAsync(DescriptorChannel.connect(folder.socketPath()), { code: 'ENOENT' })
  } finally {
    await folder.remove()
  }
})
