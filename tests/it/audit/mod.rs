mod outages;
mod sequencer;
mod tampering;
