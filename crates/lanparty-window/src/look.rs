//! How the window looks: colours, sizes, letters.

use crate::mark::Tone;
use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Frame, Margin, Stroke, Style, TextStyle,
    Theme, Vec2, Visuals,
};
use lanparty_client_control::{Mark, PingVerdict};

/// The space between things.
pub(crate) const GAP: f32 = 8.0;
/// How high a button is.
pub(crate) const BUTTON: f32 = 32.0;
/// How high the one button is that matters most.
pub(crate) const PRIMARY: f32 = 38.0;

/// The colours of one theme. Each text colour has a contrast of at least 4.5 to 1 on both grounds.
pub(crate) struct Palette {
    ground: Color32,
    card: Color32,
    pub(crate) line: Color32,
    /// Around what can be pressed or written in: at least 3 to 1.
    edge: Color32,
    pub(crate) text: Color32,
    pub(crate) weak: Color32,
    pub(crate) accent: Color32,
    pub(crate) on_accent: Color32,
    hover: Color32,
    ring: Color32,
    good: Color32,
    busy: Color32,
    doubt: Color32,
    bad: Color32,
    doubt_ground: Color32,
}

const LIGHT: Palette = Palette {
    ground: Color32::from_rgb(0xf4, 0xf5, 0xf8),
    card: Color32::from_rgb(0xff, 0xff, 0xff),
    line: Color32::from_rgb(0xd9, 0xdd, 0xe5),
    edge: Color32::from_rgb(0x86, 0x8e, 0x9c),
    text: Color32::from_rgb(0x1a, 0x1d, 0x24),
    weak: Color32::from_rgb(0x56, 0x5d, 0x6b),
    accent: Color32::from_rgb(0x2f, 0x55, 0xd4),
    on_accent: Color32::WHITE,
    hover: Color32::from_rgb(0xea, 0xed, 0xf4),
    ring: Color32::from_rgb(0x1a, 0x1d, 0x24),
    good: Color32::from_rgb(0x17, 0x73, 0x3a),
    busy: Color32::from_rgb(0x0a, 0x5f, 0xb8),
    doubt: Color32::from_rgb(0x8a, 0x57, 0x00),
    bad: Color32::from_rgb(0xc0, 0x28, 0x2d),
    doubt_ground: Color32::from_rgb(0xff, 0xf6, 0xe0),
};

const DARK: Palette = Palette {
    ground: Color32::from_rgb(0x13, 0x15, 0x1a),
    card: Color32::from_rgb(0x1d, 0x20, 0x27),
    line: Color32::from_rgb(0x33, 0x38, 0x42),
    edge: Color32::from_rgb(0x71, 0x79, 0x87),
    text: Color32::from_rgb(0xe9, 0xeb, 0xf0),
    weak: Color32::from_rgb(0xa5, 0xac, 0xb9),
    accent: Color32::from_rgb(0x86, 0xa5, 0xff),
    on_accent: Color32::from_rgb(0x0e, 0x16, 0x33),
    hover: Color32::from_rgb(0x2a, 0x2e, 0x37),
    ring: Color32::WHITE,
    good: Color32::from_rgb(0x52, 0xc9, 0x8a),
    busy: Color32::from_rgb(0x76, 0xb6, 0xff),
    doubt: Color32::from_rgb(0xe6, 0xb4, 0x4c),
    bad: Color32::from_rgb(0xff, 0x86, 0x7d),
    doubt_ground: Color32::from_rgb(0x2b, 0x25, 0x18),
};

impl Palette {
    /// The colours in use.
    pub(crate) fn of(visuals: &Visuals) -> &'static Palette {
        if visuals.dark_mode { &DARK } else { &LIGHT }
    }

    pub(crate) fn tone(&self, tone: Tone) -> Color32 {
        match tone {
            Tone::Quiet => self.weak,
            Tone::Busy => self.busy,
            Tone::Good => self.good,
            Tone::Doubt => self.doubt,
            Tone::Bad => self.bad,
        }
    }
}

/// The colour that a tray or a task bar gets: they do not tell their ground, and these are seen on any.
pub(crate) fn tray_colour(tone: Tone) -> [u8; 3] {
    match tone {
        Tone::Quiet => [0x8a, 0x93, 0xa3],
        Tone::Busy => [0x3f, 0x8c, 0xe8],
        Tone::Good => [0x2e, 0xa8, 0x63],
        Tone::Doubt => [0xd9, 0x96, 0x1a],
        Tone::Bad => [0xe0, 0x4b, 0x45],
    }
}

pub(crate) fn mark_tone(mark: Mark) -> Tone {
    match mark {
        Mark::Good => Tone::Good,
        Mark::Doubt => Tone::Doubt,
        Mark::Bad => Tone::Bad,
    }
}

pub(crate) fn ping_tone(verdict: PingVerdict) -> Tone {
    match verdict {
        PingVerdict::Good => Tone::Good,
        PingVerdict::Slow => Tone::Doubt,
        PingVerdict::Bad => Tone::Bad,
    }
}

/// The letters for what shall stand out.
pub(crate) fn strong(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("strong".into()))
}

/// A box around things that belong together.
pub(crate) fn card(visuals: &Visuals) -> Frame {
    let palette = Palette::of(visuals);
    Frame::new()
        .fill(palette.card)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(10)
        .inner_margin(Margin::symmetric(14, 12))
}

/// The box around what needs attention.
pub(crate) fn warning(visuals: &Visuals) -> Frame {
    let palette = Palette::of(visuals);
    card(visuals)
        .fill(palette.doubt_ground)
        .stroke(Stroke::new(1.0, palette.doubt))
}

/// The ground on which everything lies.
pub(crate) fn ground(visuals: &Visuals) -> Frame {
    Frame::new().fill(Palette::of(visuals).ground)
}

/// Sets it all up, once for a context.
pub(crate) fn install(ctx: &Context) {
    ctx.options_mut(|options| options.fallback_theme = Theme::Light);
    ctx.set_style_of(Theme::Light, style(Theme::Light, &LIGHT));
    ctx.set_style_of(Theme::Dark, style(Theme::Dark, &DARK));
}

fn style(theme: Theme, palette: &Palette) -> Style {
    let mut style = theme.default_style();
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(13.0)),
        (TextStyle::Body, FontId::proportional(15.0)),
        (TextStyle::Button, FontId::proportional(15.0)),
        (TextStyle::Heading, strong(24.0)),
        (TextStyle::Monospace, FontId::proportional(15.0)),
    ]
    .into();
    style.spacing.item_spacing = Vec2::splat(GAP);
    style.spacing.button_padding = Vec2::new(14.0, 4.0);
    style.spacing.interact_size = Vec2::new(48.0, BUTTON);
    style.spacing.icon_width = 20.0;
    style.spacing.icon_width_inner = 12.0;
    style.interaction.selectable_labels = false;
    // A blinking cursor draws twice a second for ever, and a fading button costs more than it gives.
    style.animation_time = 0.0;
    style.scroll_animation = egui::style::ScrollAnimation::none();
    style.visuals = visuals(theme, palette);
    style
}

fn visuals(theme: Theme, palette: &Palette) -> Visuals {
    let mut visuals = theme.default_visuals();
    visuals.panel_fill = palette.ground;
    visuals.window_fill = palette.card;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.window_corner_radius = CornerRadius::same(12);
    visuals.extreme_bg_color = palette.card;
    visuals.text_edit_bg_color = Some(palette.card);
    visuals.weak_text_color = Some(palette.weak);
    visuals.hyperlink_color = palette.accent;
    visuals.warn_fg_color = palette.doubt;
    visuals.error_fg_color = palette.bad;
    visuals.selection.bg_fill = palette.accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(2.0, palette.accent);
    visuals.text_cursor.blink = false;
    visuals.text_cursor.stroke = Stroke::new(2.0, palette.accent);
    visuals.clip_rect_margin = 4.0;
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.fg_stroke.color = palette.text;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, palette.line);
    for (widget, fill) in [
        (&mut widgets.inactive, palette.card),
        (&mut widgets.hovered, palette.hover),
        (&mut widgets.active, palette.hover),
        (&mut widgets.open, palette.hover),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.fg_stroke = Stroke::new(1.5, palette.text);
        widget.bg_stroke = Stroke::new(1.0, palette.edge);
        widget.corner_radius = CornerRadius::same(7);
        widget.expansion = 0.0;
    }
    widgets.hovered.bg_stroke.color = palette.weak;
    // What has the focus, or is pressed: a ring that is seen on every ground (check W15).
    widgets.active.bg_stroke = Stroke::new(2.0, palette.ring);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: Color32) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    /// As WCAG 2 has it.
    fn contrast(one: Color32, other: Color32) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_text_colour_is_read_on_every_ground() {
        for palette in [&LIGHT, &DARK] {
            let tones = [Tone::Quiet, Tone::Busy, Tone::Good, Tone::Doubt, Tone::Bad];
            let texts = tones.map(|tone| palette.tone(tone));
            let texts = texts.iter().chain([&palette.text, &palette.accent]);
            for text in texts {
                let grounds = [palette.ground, palette.card, palette.doubt_ground];
                for ground in grounds {
                    let contrast = contrast(*text, ground);
                    assert!(contrast >= 4.5, "{text:?} on {ground:?}: {contrast:.2}");
                }
            }
            assert!(contrast(palette.on_accent, palette.accent) >= 4.5);
            assert!(contrast(palette.text, palette.hover) >= 4.5);
            assert!(contrast(palette.ring, palette.ground) >= 3.0);
            assert!(contrast(palette.edge, palette.card) >= 3.0);
            assert!(contrast(palette.edge, palette.ground) >= 3.0);
        }
    }
}
