//! One open window: what it takes and what it shows.

use crate::app::{App, Clock};
use crate::wake::Post;
use crate::{look, mark, views, words};
use egui::accesskit::ActionRequest;
use egui::{Context, FullOutput, ViewportId};
use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};
use egui_winit::State;
use softbuffer::Surface;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::{Duration, Instant};
use winit::dpi::LogicalSize;
use winit::event::WindowEvent;
use winit::event_loop::ActiveEventLoop;
use winit::window::{Icon, UserAttentionType, Window, WindowAttributes};

/// How large it opens, and how small it can be made.
const SIZE: LogicalSize<u32> = LogicalSize::new(520, 680);
const LEAST: LogicalSize<u32> = LogicalSize::new(340, 300);

/// What turns egui's triangles into pixels. It outlives a window, as it holds the letters that egui sends only once.
/// egui's clock goes on with it, too: each window's own begins anew, and egui does not bear a time that runs backwards.
pub(super) struct Painter {
    render: EguiSoftwareRender,
    start: Instant,
}

impl Default for Painter {
    fn default() -> Self {
        // Its cache takes many times the memory for a speed that a window of this size does not need.
        Painter {
            render: EguiSoftwareRender::new(ColorFieldOrder::Bgra).with_caching(false),
            start: Instant::now(),
        }
    }
}

/// An open window. The clipboard in `state` must go before the window it came from.
pub(super) struct Canvas {
    state: State,
    surface: Surface<Rc<Window>, Rc<Window>>,
    window: Rc<Window>,
    title: String,
}

impl Canvas {
    pub(super) fn open(
        events: &ActiveEventLoop,
        ctx: &Context,
        post: &Post,
    ) -> Result<Self, String> {
        let attributes = attributes();
        let window = events
            .create_window(attributes)
            .map_err(|error| error.to_string())?;
        let window = Rc::new(window);
        let mut state = State::new(
            ctx.clone(),
            ViewportId::ROOT,
            &window,
            Some(window.scale_factor() as f32),
            window.theme(),
            None,
        );
        state.init_accesskit(events, &window, post.0.clone());
        let context =
            softbuffer::Context::new(window.clone()).map_err(|error| error.to_string())?;
        let surface = Surface::new(&context, window.clone()).map_err(|error| error.to_string())?;
        window.set_visible(true);
        Ok(Canvas {
            state,
            surface,
            window,
            title: words::WINDOW.to_owned(),
        })
    }

    pub(super) fn redraw(&mut self) {
        self.window.request_redraw();
    }

    pub(super) fn focus(&self) {
        self.window.set_minimized(false);
        self.window.focus_window();
        let kind = UserAttentionType::Informational;
        self.window.request_user_attention(Some(kind));
    }

    pub(super) fn clipboard(&mut self) -> Option<String> {
        self.state.clipboard_text()
    }

    pub(super) fn take(&mut self, event: &WindowEvent) {
        if self.state.on_window_event(&self.window, event).repaint {
            self.redraw();
        }
    }

    pub(super) fn act_for_access(&mut self, request: ActionRequest) {
        self.state.on_accesskit_action_request(request);
    }

    /// Draws what there is, and says after how long egui wants to draw again by itself.
    pub(super) fn draw(
        &mut self,
        ctx: &Context,
        painter: &mut Painter,
        app: &mut App,
        clock: Clock,
    ) -> Option<Duration> {
        let size = self.window.inner_size();
        let (Some(width), Some(height)) =
            (NonZeroU32::new(size.width), NonZeroU32::new(size.height))
        else {
            return None;
        };
        let mut input = self.state.take_egui_input(&self.window);
        let since_start = clock.now.saturating_duration_since(painter.start);
        input.time = Some(since_start.as_secs_f64());
        let output = ctx.run_ui(input, |ui| views::draw(ui, app, clock));
        let FullOutput {
            platform_output,
            textures_delta,
            shapes,
            pixels_per_point,
            viewport_output,
        } = output;
        self.state
            .handle_platform_output(&self.window, platform_output);
        let primitives = ctx.tessellate(shapes, pixels_per_point);
        if self.surface.resize(width, height).is_ok()
            && let Ok(mut buffer) = self.surface.buffer_mut()
        {
            let pixels: &mut [[u8; 4]] = bytemuck::cast_slice_mut(&mut buffer);
            let (width, height) = (width.get() as usize, height.get() as usize);
            let mut target = BufferMutRef::new(pixels, width, height);
            painter
                .render
                .render(&mut target, &primitives, &textures_delta, pixels_per_point);
            self.window.pre_present_notify();
            // A window that is just going cannot be shown to; the next picture, if any, comes with the next event.
            let _going = buffer.present();
        }
        self.entitle(app, clock);
        let delays = viewport_output.values().map(|it| it.repaint_delay);
        delays.min().filter(|delay| *delay < Duration::MAX)
    }

    /// The state stands in the task bar too.
    fn entitle(&mut self, app: &App, clock: Clock) {
        let title = format!("{} – {}", app.still_word(clock.now), words::WINDOW);
        if self.title != title {
            self.window.set_title(&title);
            self.title = title;
        }
    }
}

fn attributes() -> WindowAttributes {
    let colour = look::tray_colour(mark::Tone::Busy);
    let icon = mark::rgba(mark::Shape::Half, colour, 64);
    let attributes = WindowAttributes::default()
        .with_title(words::WINDOW)
        .with_inner_size(SIZE)
        .with_min_inner_size(LEAST)
        .with_window_icon(Icon::from_rgba(icon, 64, 64).ok())
        // Screen readers must be told of it before it is seen.
        .with_visible(false);
    named(attributes)
}

/// Desktops find the program's entry by this name.
#[cfg(target_os = "linux")]
fn named(attributes: WindowAttributes) -> WindowAttributes {
    use winit::platform::wayland::WindowAttributesExtWayland as _;
    attributes.with_name("lanparty", "lanparty")
}

#[cfg(not(target_os = "linux"))]
fn named(attributes: WindowAttributes) -> WindowAttributes {
    attributes
}
