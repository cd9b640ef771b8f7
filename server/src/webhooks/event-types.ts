/**
 * What may be told, each type where its source is: a change in the audit chain becomes a message in the transaction that
 * makes it. A source that is no change (a quota that is used up, a sign-in) writes through `WebhookOutbox.tell`.
 */
export const EVENT_TYPES = {
  'api_key.issued': 'A key was issued.',
  'api_key.rotated': 'A key was given a successor; `old_ends` says how long it goes on.',
  'api_key.disabled': 'A key is refused until it is enabled again.',
  'api_key.revoked': 'A key has ended, for ever.',
  'api_key.leaked': 'A key was found in public; `action` says what was done.',
  'credential.expiring':
    'A key, client secret or webhook secret ends soon, or is older than its API allows soon.',
  'credential.overdue': 'One of them is older than its API allows.',
  'webhook.disabled': 'Another endpoint failed for too long and is told nothing any more.',
  'webhook.test': 'You asked for it.',
} as const

export type EventType = keyof typeof EVENT_TYPES

export function isEventType(text: string): text is EventType {
  return Object.hasOwn(EVENT_TYPES, text)
}
