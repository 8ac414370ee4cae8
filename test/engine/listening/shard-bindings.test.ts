/** A listener that closes while a shard is about to listen or to resume. */
import test from 'ava'
import { ShardBindings } from '../../../engine/listening/shard-bindings.js'
import { Ledger } from '../../../engine/common/ledger.js'
import type { Outcome } from '../../../engine/protocol/errors.js'
import type { Shard } from '../../../engine/shard/shard.js'
import { randomName } from '../../helpers/temporary-folder.js'

const LISTENER_ID = 7

/** A shard that answers when it is told to. */
class SlowShard {
  readonly calls: string[] = []
  #answer: (outcome: Outcome) => void = () => undefined

  readonly accepted = {
    listen: (): Promise<Outcome> => this.#call('listen'),
    resume: (): Promise<Outcome> => this.#call('resume'),
    unlisten: (): Promise<void> => {
      this.calls.push('unlisten')
      return Promise.resolve()
    },
  }

  get asShard(): Shard {
    return this as unknown as Shard
  }

  answer(): void {
    this.#answer({ ok: true })
  }

  #call(name: string): Promise<Outcome> {
    this.calls.push(name)
    return new Promise((resolve) => {
      this.#answer = resolve
    })
  }
}

function openBindings(): Promise<ShardBindings> {
  const name = randomName()
  const settings = {
    on: ({ accepted }: Shard) => accepted,
    listenerId: LISTENER_ID,
    endpoint: `memory:${name}`,
    target: { kind: 'memory', name },
    backlog: 1,
    framing: {
      kind: 'length',
      delimiter: 0x0a,
      maxFrameBytes: 64,
      maxHeaderBytes: 64,
      lastLine: 'refuse',
      frameTimeoutMs: undefined,
    },
    maxQueued: 16,
    mode: 0o600,
  } as const
  return ShardBindings.open([], settings, new Ledger(), new AbortController().signal)
}

for (const step of ['join', 'resume'] as const) {
  test(`close() waits for a shard that is about to ${step === 'join' ? 'listen' : 'resume'}`, async (t) => {
    const bindings = await openBindings()
    const shard = new SlowShard()
    const pending = step === 'join' ? bindings.join([shard.asShard]) : bindings.resume(shard.asShard)
    const order: string[] = []
    const closed = bindings.close().then(() => order.push('closed'))
    // All that could be done without the shard's answer.
    await new Promise(setImmediate)
    order.push('answered')
    shard.answer()
    await Promise.allSettled([pending, closed])
    t.deepEqual(order, ['answered', 'closed'])
    t.deepEqual(shard.calls, step === 'join' ? ['listen', 'unlisten'] : ['resume'])
  })
}
