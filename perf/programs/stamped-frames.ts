/** The frames that are sent, made once for each size: no stack pays for making them. */
import { STAMP_BASE, STAMPS } from '../harness/messages.js'

/** `withLength`: the frames carry their u32 little-endian length in front, ready for the wire. */
export function stampedFrames(bytes: number, withLength: boolean): Buffer[] {
  const header = withLength ? 4 : 0
  return Array.from({ length: STAMPS }, (_, stamp) => {
    const frame = Buffer.alloc(header + bytes, STAMP_BASE)
    if (withLength) frame.writeUInt32LE(bytes)
    frame[header] = STAMP_BASE + stamp
    return frame
  })
}
