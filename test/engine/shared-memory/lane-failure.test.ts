import test from 'ava'
import type { Mapping } from '../../../engine/native/native-memory.js'
import { FakeNative, SharedPair } from '../../helpers/shared-pair.js'
import { turns } from '../../helpers/turns.js'

/** The dialling side, which maps second, cannot make views of its mapping. */
class BlindNative extends FakeNative {
  override map(fd: number, length: number): Mapping {
    const isBlind = this.mapped === 1
    const mapping = super.map(fd, length)
    const view = (offset: number, bytes: number): ArrayBuffer => {
      if (isBlind) throw new Error('there are no views')
      return mapping.view(offset, bytes)
    }
    return { ...mapping, view }
  }
}

test('a side that cannot use the memory that both have agreed on lets go of it, and the peer hears of it', async (t) => {
  const native = new BlindNative()
  await t.throwsAsync(SharedPair.connect({ native }), { message: 'there are no views' })
  // The peer's connection ends with the socket.
  while (native.mapped > 0) await turns(1)
  t.is(native.mapped, 0)
})
