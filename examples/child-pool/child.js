/** Reads a job a line, and writes an answer a line. It knows nothing of the package: it might be in any language. */
import process from 'node:process'
import { createInterface } from 'node:readline'

function countPrimes(limit) {
  const isComposite = new Uint8Array(limit + 1)
  let primes = 0
  for (let n = 2; n <= limit; n++) {
    if (isComposite[n]) continue
    primes++
    for (let multiple = n * n; multiple <= limit; multiple += n) isComposite[multiple] = 1
  }
  return primes
}

for await (const job of createInterface({ input: process.stdin })) {
  if (job === 'crash') process.exit(3)
  console.log(JSON.stringify({ primes: countPrimes(Number(job)) }))
}
