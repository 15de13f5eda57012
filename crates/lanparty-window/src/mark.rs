//! The state as a shape: in the window, in the tray and as the window's icon, from one description.
//!
//! Each state has a shape of its own besides its colour, so that who sees no colours, or a grey copy, tells them apart
//! (check W7).

use crate::app::Standing;
use egui::{Color32, Painter, Pos2, Shape as Figure, Stroke, Vec2};
use lanparty_client_control::State;
use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// What is drawn for a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// ○
    Ring,
    /// ◔
    Quarter,
    /// ◐
    Half,
    /// ●
    Disc,
    /// ◌, as far as it is not closed.
    Broken,
    /// ▲
    Triangle,
    /// △
    Outline,
}

/// What a colour is for; `look` says which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Neither good nor bad.
    Quiet,
    /// On the way.
    Busy,
    /// As it should be.
    Good,
    /// It may be in the way.
    Doubt,
    /// It is in the way.
    Bad,
}

/// The shape and colour of how things stand.
pub(crate) fn of(standing: &Standing) -> (Shape, Tone) {
    match standing {
        Standing::Looking => (Shape::Ring, Tone::Quiet),
        Standing::Away(_) => (Shape::Outline, Tone::Doubt),
        Standing::Is(State::NotConnected) => (Shape::Ring, Tone::Quiet),
        Standing::Is(State::Connecting) => (Shape::Quarter, Tone::Busy),
        Standing::Is(State::WaitingForGateway) => (Shape::Half, Tone::Doubt),
        Standing::Is(State::Connected) => (Shape::Disc, Tone::Good),
        Standing::Is(State::Reconnecting) => (Shape::Broken, Tone::Doubt),
        Standing::Is(State::CannotConnect) => (Shape::Triangle, Tone::Bad),
    }
}

/// How far the shapes reach from their middle, and how thick their rings are; 1 is half of the square.
const OUTER: f32 = 0.92;
const INNER: f32 = 0.64;
/// A broken ring has eight pieces; each is so long, of an eighth.
const PIECE: f32 = 0.62;
/// Where the first of them begins, in eighths.
const TURN: f32 = 0.125;
/// The triangle's corners, as far as they go to the sides, down and up.
const WIDE: f32 = 0.95;
const BASE: f32 = 0.8;
const TOP: f32 = -0.85;
/// How thick its outline is.
const EDGE: f32 = 0.2;

/// Paints it into the window.
pub(crate) fn paint(painter: &Painter, shape: Shape, colour: Color32, middle: Pos2, half: f32) {
    let at = |x: f32, y: f32| middle + Vec2::new(x, y) * half;
    let arc = |from: f32, to: f32, radius: f32| -> Vec<Pos2> {
        let point = |step: u8| {
            let angle = from + (to - from) * f32::from(step) / 16.0;
            at(angle.cos() * radius, angle.sin() * radius)
        };
        (0..=16).map(point).collect()
    };
    let stroke = Stroke::new((OUTER - INNER) * half, colour);
    let middle_of_ring = (OUTER + INNER) / 2.0;
    let ring = || {
        painter.circle_stroke(middle, middle_of_ring * half, stroke);
    };
    let fill = |points| {
        painter.add(Figure::convex_polygon(points, colour, Stroke::NONE));
    };
    let corners = |scale: f32| {
        let centre = (2.0 * BASE + TOP) / 3.0;
        let down = centre + (BASE - centre) * scale;
        let up = centre + (TOP - centre) * scale;
        vec![at(0.0, up), at(WIDE * scale, down), at(-WIDE * scale, down)]
    };
    match shape {
        Shape::Ring => ring(),
        Shape::Disc => {
            painter.circle_filled(middle, OUTER * half, colour);
        }
        Shape::Half => {
            ring();
            fill(arc(FRAC_PI_2, PI + FRAC_PI_2, INNER));
        }
        Shape::Quarter => {
            ring();
            let mut points = arc(-FRAC_PI_2, 0.0, INNER);
            points.push(middle);
            fill(points);
        }
        Shape::Broken => {
            for piece in 0..8_u8 {
                let from = (f32::from(piece) - TURN) * FRAC_PI_4;
                painter.line(arc(from, from + PIECE * FRAC_PI_4, middle_of_ring), stroke);
            }
        }
        Shape::Triangle => fill(corners(1.0)),
        Shape::Outline => {
            let stroke = Stroke::new(EDGE * half, colour);
            painter.add(Figure::closed_line(corners(0.82), stroke));
        }
    }
}

/// The shape in a square of `side` pixels: how much of each pixel it covers, row by row.
pub(crate) fn coverage(shape: Shape, side: usize) -> Vec<u8> {
    const SAMPLES: usize = 4;
    let step = 1.0 / (side * SAMPLES) as f32;
    let sample = |at: usize| (at as f32 + 0.5) * step * 2.0 - 1.0;
    let pixel = |index: usize| {
        let (left, top) = (index % side * SAMPLES, index / side * SAMPLES);
        let inside = (0..SAMPLES * SAMPLES)
            .filter(|at| {
                let (x, y) = (sample(left + at % SAMPLES), sample(top + at / SAMPLES));
                covers(shape, x, y)
            })
            .count();
        (inside * 255 / (SAMPLES * SAMPLES)) as u8
    };
    (0..side * side).map(pixel).collect()
}

/// Whether a shape covers a point; both go from -1 to 1, y downwards.
fn covers(shape: Shape, x: f32, y: f32) -> bool {
    let radius = x.hypot(y);
    let ring = (INNER..OUTER).contains(&radius);
    let disc = radius < OUTER;
    match shape {
        Shape::Ring => ring,
        Shape::Disc => disc,
        Shape::Half => ring || disc && x < 0.0,
        Shape::Quarter => ring || disc && x > 0.0 && y < 0.0,
        Shape::Broken => ring && (y.atan2(x) / FRAC_PI_4 + 4.0 + TURN).fract() < PIECE,
        Shape::Triangle => in_triangle(x, y, 0.0),
        Shape::Outline => in_triangle(x, y, 0.0) && !in_triangle(x, y, EDGE),
    }
}

/// The triangle that stands on its side, `margin` away from its edges.
fn in_triangle(x: f32, y: f32, margin: f32) -> bool {
    // Its sides go from (0, TOP) to (±WIDE, BASE); how far from such a side a point is, inwards.
    let slope = (BASE - TOP) / WIDE;
    let from_side = ((y - TOP) - slope * x.abs()) / (1.0 + slope * slope).sqrt();
    y < BASE - margin && from_side > margin
}

/// The same in a colour, as pixels of red, green, blue and how opaque they are.
pub(crate) fn rgba(shape: Shape, [red, green, blue]: [u8; 3], side: usize) -> Vec<u8> {
    let pixels = coverage(shape, side).into_iter();
    pixels
        .flat_map(|opaque| [red, green, blue, opaque])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Absence;

    fn standings() -> Vec<Standing> {
        let mut all: Vec<_> = State::ALL.into_iter().map(Standing::Is).collect();
        all.push(Standing::Away(Absence::NotRunning));
        all
    }

    /// Judged without colour, at the size that a tray shows.
    #[test]
    fn no_two_states_look_alike_in_grey() {
        let drawn: Vec<_> = standings()
            .iter()
            .map(|standing| coverage(of(standing).0, 22))
            .collect();
        for (index, one) in drawn.iter().enumerate() {
            for other in &drawn[index + 1..] {
                let differ = one.iter().zip(other).filter(|(a, b)| a.abs_diff(**b) > 128);
                assert!(differ.count() > 20, "{index}");
            }
        }
    }

    #[test]
    fn a_shape_stays_in_its_square() {
        for standing in standings() {
            let side = 24;
            let drawn = coverage(of(&standing).0, side);
            let corners = [0, side - 1, side * (side - 1)];
            assert!(corners.iter().all(|at| drawn[*at] == 0), "{standing:?}");
            assert!(drawn.contains(&255), "{standing:?}");
        }
    }
}
