/** Listening on what main has sent: who closes a duplicate, and which failures are told. */
import os from 'node:os'
import test from 'ava'
import type { TargetOf } from '../../../engine/protocol/target.js'
import type { AcceptedPeer, ListenHandle } from '../../../workers/shard-transport.js'
import { unixTransport } from '../../../workers/transports/unix.js'
import { rejects } from '../../helpers/expected-errors.js'
import { signal } from '../../helpers/turns.js'

const BACKLOG = 7
const { EMFILE, EINVAL } = os.constants.errno
const onUnix = process.platform === 'win32' ? test.skip : test

/** A handle as Node gives it: of the listening socket, or of a connection. */
class FakeHandle {
  readonly fd = 1_000
  onconnection: ((status: number, connection?: FakeHandle) => void) | undefined
  backlog: number | undefined
  closes = 0
  readonly #errno: number

  constructor(errno = 0) {
    this.#errno = errno
  }

  listen(backlog: number): number {
    this.backlog = backlog
    return -this.#errno
  }

  close(): void {
    this.closes++
  }
}

type Sent = FakeHandle | undefined

/** A shard, and the main thread that sends it duplicates. */
class Stage {
  readonly accepted: AcceptedPeer[] = []
  readonly failures: Error[] = []
  readonly #sent: Promise<Sent>[] = []

  listen(sent: Sent): Promise<ListenHandle> {
    return unixTransport.listen(
      this.targetWith(sent),
      BACKLOG,
      (peer) => this.accepted.push(peer),
      (error) => this.failures.push(error),
      { receive: (ticket) => this.#sent[ticket] ?? Promise.reject(new Error('nothing was sent')) },
    )
  }

  targetWith(sent: Sent | Promise<Sent>): TargetOf<'unix'> {
    const ticket = this.#sent.push(Promise.resolve(sent)) - 1
    return { kind: 'unix', path: '/tmp/x.sock', ticket }
  }
}

onUnix('a duplicate that was lost on its way is ERR_IO, and the advice is about descriptors', async (t) => {
  const { message, cause, retryable } = await rejects(t, new Stage().listen(undefined), 'ERR_IO')
  t.is(
    message,
    'listening on unix:/tmp/x.sock: out of file descriptors. Close connections, or raise the limit (ulimit -n).',
  )
  t.is((cause as NodeJS.ErrnoException).code, 'EMFILE')
  t.true(retryable)
})

onUnix('a socket that cannot be listened on is closed, and the error says why', async (t) => {
  const duplicate = new FakeHandle(EINVAL)
  const { cause } = await rejects(t, new Stage().listen(duplicate), 'ERR_IO')
  t.is((cause as NodeJS.ErrnoException).code, 'EINVAL')
  t.is(duplicate.closes, 1)
})

onUnix(
  'each connection is handed on without being read; an error of accept is a failure of the listener',
  async (t) => {
    const stage = new Stage()
    const duplicate = new FakeHandle()
    await stage.listen(duplicate)
    t.is(duplicate.backlog, BACKLOG)
    const connection = new FakeHandle()
    duplicate.onconnection?.(0, connection)
    t.is(stage.accepted.length, 1)
    stage.accepted[0]?.reject()
    t.is(connection.closes, 1)
    t.deepEqual(stage.failures, [])
    duplicate.onconnection?.(-EMFILE)
    t.deepEqual(
      stage.failures.map(({ message }) => message),
      ['accept EMFILE'],
    )
    t.is(stage.accepted.length, 1)
  },
)

onUnix('a pause closes the duplicate, and the next one is listened on until the listener closes', async (t) => {
  const stage = new Stage()
  const [first, second] = [new FakeHandle(), new FakeHandle()]
  const listening = await stage.listen(first)
  listening.pause()
  t.is(first.closes, 1)
  await listening.resume(stage.targetWith(second))
  t.is(second.backlog, BACKLOG)
  t.is(second.closes, 0)
  await listening.close()
  t.is(second.closes, 1)
})

onUnix('a duplicate that comes after the listener has closed is closed', async (t) => {
  const stage = new Stage()
  const listening = await stage.listen(new FakeHandle())
  listening.pause()
  const coming = signal<Sent>()
  const resuming = listening.resume(stage.targetWith(coming.promise))
  await listening.close()
  const late = new FakeHandle()
  coming.resolve(late)
  await resuming
  t.is(late.closes, 1)
})
