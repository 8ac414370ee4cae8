/**
 * Why a connection cannot go from one user to the next.
 * - `ended`: it is over, or one of its sides has ended or is about to.
 * - `unsent`: frames that `send()` took were not handed to the operating system yet.
 * - `busy`: it still has a consumer: a subscriber, a loop, or a `receive()` that is pending.
 * - `unread`: bytes have come that were not taken, be it a part of a frame.
 */
export type ReuseBlocker = 'ended' | 'unsent' | 'busy' | 'unread'
