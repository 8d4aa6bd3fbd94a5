import { texts } from '../texts.ts';
import { deliveryTones } from '../views/states.ts';
import type { DeliveryView } from '../views/view.ts';
import { Age, Outside, Panel } from './basics.tsx';

const t = texts.delivery;

/** The video, if it can be played, and what is known about it. */
export function Delivery({ delivery, name }: { readonly delivery: DeliveryView; readonly name: string }) {
  const { state, video, problems, checkedAt, object, copy } = delivery;
  return (
    <Panel
      title={t.title}
      action={
        checkedAt && (
          <span class="muted">
            {t.checked} <Age iso={checkedAt} />
          </span>
        )
      }
    >
      {video && (
        <video
          class="video"
          src={video}
          controls
          loop
          muted
          playsInline
          preload="metadata"
          aria-label={t.play(name)}
        />
      )}
      <p class={`delivery-state tone-${deliveryTones[state]}`}>
        <span class="dot" aria-hidden="true" />
        {t.states[state].meaning}
      </p>
      <p class="legend">
        {factsOf(delivery).map((fact) => (
          <span key={fact}>{fact}</span>
        ))}
      </p>
      {problems.map(({ code, message }) => (
        <p key={code} class="quote">
          {code}: <Outside>{message}</Outside>
        </p>
      ))}
      {object && (
        <p>
          <code>
            <Outside>{object}</Outside>
          </code>
        </p>
      )}
      {copy && (
        <p>
          {t.copy}:{' '}
          <code>
            <Outside>{copy}</Outside>
          </code>
        </p>
      )}
    </Panel>
  );
}

function factsOf(delivery: DeliveryView): string[] {
  const { frames, framesPerSecond, width, height, durationSeconds, bytes, codec } = delivery;
  return [
    width !== undefined && height !== undefined && t.size(width, height),
    frames !== undefined && t.frames(frames, framesPerSecond),
    durationSeconds !== undefined && t.seconds(durationSeconds),
    bytes !== undefined && t.megabytes(bytes),
    codec,
  ].filter((fact) => typeof fact === 'string');
}
