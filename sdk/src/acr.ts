/** How strong sign-ins at Postern are (`acr`), from weakest to strongest: each satisfies itself and those before it. */
const WEAKEST_FIRST = ['urn:postern:acr:1fa', 'urn:postern:acr:pwd', 'urn:postern:acr:mfa', 'phr']

/** Whether a sign-in of strength `held` is enough where `wanted` is asked for. What is not in the list satisfies itself. */
export function satisfiesAcr(held: string, wanted: string): boolean {
  const wants = WEAKEST_FIRST.indexOf(wanted)
  return held === wanted || (wants >= 0 && WEAKEST_FIRST.indexOf(held) >= wants)
}
