/** A verifier with a clock that the test moves. */
import { type Clock, systemClock } from '../../src/clock.ts'
import { parseOptions, type VerifierOptions } from '../../src/options.ts'
import { buildVerifier, type Verifier } from '../../src/verifier.ts'
import type { FakeServer } from './fake-server.ts'
import { OWN_CREDENTIAL, RESOURCE } from './wire.ts'

export class TestClock implements Clock {
  wallMs = Date.parse('2026-01-01T00:00:00Z')
  elapsedMs = 1000

  nowMs(): number {
    return this.wallMs
  }

  monotonicMs(): number {
    return this.elapsedMs
  }

  after(ms: number, act: () => void): () => void {
    return systemClock.after(ms, act)
  }

  pass(ms: number): void {
    this.wallMs += ms
    this.elapsedMs += ms
  }
}

export interface TestVerifier extends Verifier {
  readonly clock: TestClock
  readonly warnings: string[]
}

export function verifierFor(server: FakeServer, options: Partial<VerifierOptions> = {}): TestVerifier {
  const clock = new TestClock()
  const warnings: string[] = []
  const config = parseOptions({
    server: server.url,
    credential: OWN_CREDENTIAL,
    resource: RESOURCE,
    live: false,
    onWarning: (message) => warnings.push(message),
    ...options,
  })
  return { ...buildVerifier(config, clock), clock, warnings }
}
