/** The passkeys of an account: what there is, one more, and renaming and removing them. */
import { html, type Markup, type RenderedPage } from '../../http/index.ts'
import { LONGEST_PASSKEY_NAME, type Passkey } from '../passkeys/passkey.ts'
import { accountPage, type OwnPlace, buttonForm, dayInWords } from './account-page.ts'
import { formStart, passkeyForm } from './parts-page.ts'

export interface PasskeysView extends OwnPlace {
  readonly passkeys: readonly Passkey[]
  /** What the browser is asked for a new one, and the script that asks it; absent where there can be none. */
  readonly registration: { readonly options: object; readonly script: string } | undefined
  readonly problem?: string | undefined
}

export function passkeysPage(view: PasskeysView): RenderedPage {
  const { action, passkeys, registration, problem } = view
  return accountPage({
    path: action,
    back: view.back,
    title: 'Passkeys',
    problem,
    script: registration?.script,
    body: html`<p>
        A passkey signs you in with your device’s own lock: no password to remember, and nothing that a false
        site could ask for.
      </p>
      ${
        passkeys.length > 0 &&
        html`<ul class="things">
          ${passkeys.map(one)}
        </ul>`
      }
      ${registration ? addOne(registration.options) : html`<p>This address cannot have passkeys.</p>`}`,
  })

  function one({ id, name, synced, createdAtMs, lastUsedAtMs }: Passkey): Markup {
    return html`<li>
      <p><strong>${name}</strong></p>
      <p class="faint">
        ${synced ? 'Kept on your devices' : 'On one device'}, added ${dayInWords(createdAtMs)},
        ${lastUsedAtMs === null ? 'never used' : `last used ${dayInWords(lastUsedAtMs)}`}
      </p>
      <form method="post" action="${action}">
        ${formStart(view)} <input type="hidden" name="rename" value="${id}" />
        <div class="field">
          <label for="name-${id}">Name</label>
          <input
            id="name-${id}"
            name="name"
            value="${name}"
            maxlength="${LONGEST_PASSKEY_NAME}"
            required
            autocomplete="off"
          />
        </div>
        <button type="submit" class="small second" aria-label="Rename: ${name}">Rename</button>
      </form>
      ${buttonForm(view, { name: 'remove', value: id, label: 'Remove', about: name })}
    </li>`
  }

  function addOne(options: object): Markup {
    return html`<noscript><p class="note">To add a passkey, this page needs JavaScript.</p></noscript>
      ${passkeyForm(view, {
        options,
        button: 'Add a passkey',
        fields: html`<div class="field">
          <label for="name">Name of the new passkey</label>
          <input
            id="name"
            name="name"
            maxlength="${LONGEST_PASSKEY_NAME}"
            autocomplete="off"
            placeholder="My phone"
          />
        </div>`,
      })}`
  }
}
