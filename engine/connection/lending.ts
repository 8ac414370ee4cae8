/**
 * Whether a handler of this thread has frames that lie in a ring, and may send them on. Only then a sender asks where a
 * frame lies, which is slow: to gather frames that lie in shared memory costs more than to copy each to its place.
 */
export const lending = { isOn: false }
