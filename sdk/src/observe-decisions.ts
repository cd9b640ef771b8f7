/** The hook for metrics: around `verify` where there is one, so that nothing is asked where there is none. */
import type { Result } from './principal.ts'
import type { Verifier } from './verifier.ts'

type Verify = Verifier['verify']

export function observed(verify: Verify, onDecision: ((result: Result) => void) | undefined): Verify {
  if (!onDecision) return verify
  const tell = (result: Result): Result => {
    try {
      onDecision(result)
    } catch {
      // A broken metric is not a reason to refuse a caller, nor to admit one.
    }
    return result
  }
  return (request, options) => {
    const result = verify(request, options)
    return result instanceof Promise ? result.then(tell) : tell(result)
  }
}
