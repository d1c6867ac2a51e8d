mod outage;
mod sequencer;
mod tampering;
